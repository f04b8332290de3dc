"""What sales asks of the ERP."""

from __future__ import annotations

from services.erp.links.schemas import CancelRequested, OrderSubmitted
from services.erp.links.use_cases import cancel_order, take_order
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]

IMPORTED = "import"


@handles("crm.sales.order.submitted.v1", reads=OrderSubmitted)
def queue_order_when_submitted(fact: Fact, uow: UnitOfWork) -> None:
    """Hand a new or corrected order to the ERP; history that was imported is in the ERP already."""
    order = dict(fact.data)
    if order.pop("origin") != IMPORTED:
        take_order(order, fact.id, uow)


@handles("crm.sales.order.cancel_requested.v1", reads=CancelRequested)
def ask_erp_to_cancel(fact: Fact, uow: UnitOfWork) -> None:
    """Have an order cancelled."""
    order = dict(fact.data)
    reason = order.pop("reason")
    if order.pop("origin") != IMPORTED:
        cancel_order(order, order["request_no"], reason, fact.id, uow)


HANDLERS = (queue_order_when_submitted, ask_erp_to_cancel)
