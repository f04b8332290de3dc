"""The one place where the objects of sales meet."""

from __future__ import annotations

from pathlib import Path

from services.sales.accounts.consumers import HANDLERS as ERP_CUSTOMERS
from services.sales.activities.use_cases import MISSED, miss_activity
from services.sales.app import create_app
from services.sales.leads import use_cases as leads
from services.sales.leads.consumers import HANDLERS as LEADS
from services.sales.orders.consumers import HANDLERS as ERP_ANSWERS
from services.sales.orders.queries import GAUGES as ORDERS
from services.sales.pipelines.use_cases import DEFAULT_PIPELINE, install_default_pipeline
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
    consumers=Consumers.of([*PEOPLE, *COMPANY, *LEADS, *ERP_CUSTOMERS, *ERP_ANSWERS]),
    gauges=ORDERS,
    timers={
        DEFAULT_PIPELINE: install_default_pipeline,
        leads.REMINDER: leads.remind_of_lead,
        leads.WAITING: leads.flag_waiting_lead,
        MISSED: miss_activity,
        EXPIRY: expire_quote,
        order_handoff.NO_RECEIPT: order_handoff.flag_missing_receipt,
        order_handoff.NO_ANSWER: order_handoff.flag_missing_answer,
    },
)
