"""The one place where the objects of field service meet."""

from __future__ import annotations

from pathlib import Path

from services.fieldservice.app import create_app
from services.fieldservice.technicians.consumers import HANDLERS as TECHNICIANS
from services.fieldservice.work_orders.consumers import HANDLERS as ORDERS
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.messaging.consumers import Consumers
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="fieldservice",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=Consumers.of([*PEOPLE, *COMPANY, *TECHNICIANS, *ORDERS]),
)
