"""What sales tells us that makes, releases and ends installations. Imported history does none of that."""

from __future__ import annotations

from services.fieldservice.processes import installations
from services.fieldservice.work_orders.schemas import (
    AcknowledgedOrder,
    EndedOrder,
    ShippedOrder,
    SubmittedOrder,
)
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]

IMPORT = "import"


@handles("crm.sales.order.submitted.v1", reads=SubmittedOrder)
def plan_installations_when_order_submitted(fact: Fact, uow: UnitOfWork) -> None:
    """A work order for each line that a technician installs, on hold until the ERP took and shipped it."""
    if fact.data["origin"] != IMPORT:
        installations.plan_installations(fact.data, uow)


@handles("crm.sales.order.acknowledged.v1", reads=AcknowledgedOrder)
def release_installations_when_order_acknowledged(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP took the order: what was confirmed will be installed."""
    if fact.data["origin"] != IMPORT:
        installations.confirm_installations(fact.data, uow)


@handles("crm.sales.order.shipped.v1", reads=ShippedOrder)
def release_installations_when_order_shipped(fact: Fact, uow: UnitOfWork) -> None:
    """Goods are on their way: with the last of a line its installation may be planned."""
    if fact.data["origin"] != IMPORT:
        installations.note_shipment(fact.data, uow)


@handles("crm.sales.order.rejected.v1", "crm.sales.order.cancelled.v1", reads=EndedOrder)
def cancel_installations_when_order_ended(fact: Fact, uow: UnitOfWork) -> None:
    """The goods will not come: nobody has to go there."""
    if fact.data["origin"] != IMPORT:
        code = "order_rejected" if ".rejected." in fact.type else "order_cancelled"
        installations.end_installations(fact.data, code, uow)


HANDLERS = (
    plan_installations_when_order_submitted,
    release_installations_when_order_acknowledged,
    release_installations_when_order_shipped,
    cancel_installations_when_order_ended,
)
