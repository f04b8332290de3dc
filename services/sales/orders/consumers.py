"""What the ERP answers, applied to our orders."""

from __future__ import annotations

from services.sales.orders.schemas import (
    ErpAccepted,
    ErpCancelled,
    ErpInvoiced,
    ErpOrder,
    ErpPaid,
    ErpRejected,
    ErpShipped,
)
from services.sales.orders.use_cases import answer_order
from services.sales.processes import order_handoff
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]

ACCEPTED_PARTLY = "crm.erp.order.partially_accepted.v1"


@handles("crm.erp.order.received.v1", reads=ErpOrder)
def note_receipt(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP holds the request: the 5-minute watch ends."""
    data = fact.data
    order, _ = answer_order(data["order_id"], lambda o, now: o.received(data["request_no"], now), uow)
    order_handoff.watch_order(order, uow)


@handles("crm.erp.order.accepted.v1", ACCEPTED_PARTLY, reads=ErpAccepted)
def acknowledge_order_when_erp_accepted(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP takes the order: it gets the ERP's number and confirmed quantities."""
    data = fact.data
    partial = fact.type == ACCEPTED_PARTLY
    order, _ = answer_order(
        data["order_id"],
        lambda o, now: o.accepted(
            data["request_no"], data["erp_number"], data["lines"], now, partial=partial
        ),
        uow,
    )
    order_handoff.watch_order(order, uow)


@handles("crm.erp.order.rejected.v1", reads=ErpRejected)
def reject_order_when_erp_rejected(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP refuses: the deal's owner learns why."""
    data = fact.data
    order, rejected = answer_order(
        data["order_id"], lambda o, now: o.rejected(data["request_no"], data["code"], data["text"], now), uow
    )
    order_handoff.watch_order(order, uow)
    if rejected:
        order_handoff.carry_rejection_to_deal(order, f"{data['code']}: {data['text']}", uow)


@handles("crm.erp.order.cancelled.v1", reads=ErpCancelled)
def cancel_order_when_erp_cancelled(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP has cancelled the order."""
    data = fact.data
    order, cancelled = answer_order(
        data["order_id"],
        lambda o, now: o.cancelled_by_erp(data["request_no"], data["code"], data["text"], now),
        uow,
    )
    order_handoff.watch_order(order, uow)
    if cancelled:
        order_handoff.carry_cancellation_to_deal(order, data["text"], uow)


@handles("crm.erp.order.shipped.v1", reads=ErpShipped)
def note_shipment(fact: Fact, uow: UnitOfWork) -> None:
    """More was shipped."""
    data = fact.data
    answer_order(
        data["order_id"],
        lambda o, now: o.shipped(
            data["shipment_lines"], data["shipped_at"], data["carrier"], data["tracking"], now
        ),
        uow,
    )


@handles("crm.erp.order.invoiced.v1", reads=ErpInvoiced)
def note_invoice(fact: Fact, uow: UnitOfWork) -> None:
    """More was invoiced."""
    data = fact.data
    answer_order(
        data["order_id"],
        lambda o, now: o.invoiced(
            data["lines"],
            data["cumulative"],
            data["invoice_number"],
            data["invoiced_at"],
            data["document_url"],
            now,
        ),
        uow,
    )


@handles("crm.erp.order.paid.v1", reads=ErpPaid)
def note_payment(fact: Fact, uow: UnitOfWork) -> None:
    """More was paid."""
    data = fact.data
    answer_order(data["order_id"], lambda o, now: o.paid(data["cumulative"], data["paid_at"], now), uow)


HANDLERS = (
    note_receipt,
    acknowledge_order_when_erp_accepted,
    reject_order_when_erp_rejected,
    cancel_order_when_erp_cancelled,
    note_shipment,
    note_invoice,
    note_payment,
)
