"""`python -m services.web web|bus|migrate|...`"""

from services.web.wiring import SERVICE
from shared.cli import main

main(SERVICE)
