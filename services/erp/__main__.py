"""`python -m services.erp web|bus|migrate|...`"""

from services.erp.wiring import SERVICE
from shared.cli import main

main(SERVICE)
