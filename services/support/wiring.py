"""The one place where the objects of support meet."""

from __future__ import annotations

from pathlib import Path

from services.support.app import create_app
from services.support.assets.consumers import HANDLERS as SHIPMENTS
from services.support.cases.consumers import HANDLERS as PERSONS
from services.support.cases.use_cases import CLOSING, WAKING, close_silent_case, wake_case
from services.support.contracts.consumers import HANDLERS as DEALS
from services.support.contracts.use_cases import EXPIRY, expire_contract
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.messaging.consumers import Consumers
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="support",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=Consumers.of([*PEOPLE, *COMPANY, *DEALS, *SHIPMENTS, *PERSONS]),
    timers={EXPIRY: expire_contract, CLOSING: close_silent_case, WAKING: wake_case},
)
