"""The one place where the objects of sales meet."""

from __future__ import annotations

from pathlib import Path

from services.sales.app import create_app
from services.sales.orders.consumers import HANDLERS as ERP_ANSWERS
from services.sales.processes import order_handoff
from services.sales.quotes.use_cases import EXPIRY, expire_quote
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.messaging.consumers import Consumers
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="sales",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=Consumers.of([*PEOPLE, *COMPANY, *ERP_ANSWERS]),
    timers={
        EXPIRY: expire_quote,
        order_handoff.NO_RECEIPT: order_handoff.flag_missing_receipt,
        order_handoff.NO_ANSWER: order_handoff.flag_missing_answer,
    },
)
