"""The one place where the objects of sales meet."""

from __future__ import annotations

from pathlib import Path

from services.sales.app import create_app
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.messaging.consumers import Consumers
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="sales",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=Consumers.of([*PEOPLE, *COMPANY]),
)
