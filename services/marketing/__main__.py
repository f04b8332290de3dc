"""`python -m services.marketing web|bus|migrate|...`"""

from services.marketing.wiring import SERVICE
from shared.cli import main

main(SERVICE)
