"""`python -m services.sales web|bus|migrate|...`"""

from services.sales.wiring import SERVICE
from shared.cli import main

main(SERVICE)
