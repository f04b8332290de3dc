"""`python -m services.identity web|bus|migrate|...`"""

from services.identity.wiring import SERVICE
from shared.cli import main

main(SERVICE)
