"""`python -m services.analytics web|bus|migrate|...`"""

from services.analytics.wiring import SERVICE
from shared.cli import main

main(SERVICE)
