"""`python -m services.support web|bus|migrate|...`"""

from services.support.wiring import SERVICE
from shared.cli import main

main(SERVICE)
