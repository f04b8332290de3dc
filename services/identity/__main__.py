"""`python -m services.identity web|bus|migrate|first-administrator|...`"""

from services.identity.command_line import COMMANDS
from services.identity.wiring import SERVICE
from shared.cli import main

main(SERVICE, commands=COMMANDS)
