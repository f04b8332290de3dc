"""`python -m services.fieldservice web|bus|migrate|...`"""

from services.fieldservice.wiring import SERVICE
from shared.cli import main

main(SERVICE)
