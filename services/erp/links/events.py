"""Facts about what the ERP does with an order."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = [
    "OrderAccepted",
    "OrderCancelled",
    "OrderInvoiced",
    "OrderPaid",
    "OrderPartiallyAccepted",
    "OrderReceived",
    "OrderRejected",
    "OrderShipped",
]


@dataclass(frozen=True)
class OrderState(Event):
    """What every answer carries. `request_no`: the request it answers, or the last one answered."""

    order_id: uuid.UUID
    request_no: int
    erp_number: str | None
    erp_sequence: int
    occurred_at: datetime
    currency: str
    lines: list[dict[str, Any]]
    invoiced_total: Money
    paid_total: Money


@dataclass(frozen=True)
class OrderReceived(OrderState):
    TYPE = "crm.erp.order.received.v1"


@dataclass(frozen=True)
class OrderAccepted(OrderState):
    TYPE = "crm.erp.order.accepted.v1"


@dataclass(frozen=True)
class OrderPartiallyAccepted(OrderState):
    TYPE = "crm.erp.order.partially_accepted.v1"

    code: str
    text: str


@dataclass(frozen=True)
class OrderRejected(OrderState):
    TYPE = "crm.erp.order.rejected.v1"

    code: str
    text: str


@dataclass(frozen=True)
class OrderShipped(OrderState):
    TYPE = "crm.erp.order.shipped.v1"

    shipment_lines: list[dict[str, Any]]
    shipped_at: datetime
    carrier: str | None
    tracking: str | None


@dataclass(frozen=True)
class OrderInvoiced(OrderState):
    TYPE = "crm.erp.order.invoiced.v1"

    invoice_number: str
    invoiced_at: datetime
    amount: Money
    cumulative: Money
    document_url: str | None


@dataclass(frozen=True)
class OrderPaid(OrderState):
    TYPE = "crm.erp.order.paid.v1"

    paid_at: datetime
    amount: Money
    cumulative: Money
    settled: bool


@dataclass(frozen=True)
class OrderCancelled(OrderState):
    TYPE = "crm.erp.order.cancelled.v1"

    code: str
    text: str
