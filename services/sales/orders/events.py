"""Facts about orders."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = [
    "OrderAcknowledged",
    "OrderCancelRequested",
    "OrderCancelled",
    "OrderInvoiced",
    "OrderPaid",
    "OrderRejected",
    "OrderShipped",
    "OrderState",
    "OrderSubmitted",
]


@dataclass(frozen=True)
class OrderState(Event):
    """What every fact about an order carries; quantities of the lines are cumulative."""

    order_id: uuid.UUID
    number: str
    request_no: int
    revision: int
    state: str
    fulfilment: str
    billing: str
    opportunity_id: uuid.UUID | None
    quote_id: uuid.UUID | None
    quote_revision: int | None
    lead_id: uuid.UUID | None
    campaign_id: uuid.UUID | None
    owner_id: uuid.UUID
    account_id: uuid.UUID
    account: dict[str, Any]
    contact_id: uuid.UUID | None
    currency: str
    lines: list[dict[str, Any]]
    net_total: Money
    tax_total: Money
    gross_total: Money
    erp_number: str | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class OrderSubmitted(OrderState):
    """The canonical order: all an ERP needs to fulfil it."""

    TYPE = "crm.sales.order.submitted.v1"

    bill_to: dict[str, Any]
    ship_to: dict[str, Any]
    requested_on: date | None
    tax_rounding: str
    respond_by: datetime
    correlation_id: uuid.UUID
    region: str | None
    points_redemption_id: uuid.UUID | None


@dataclass(frozen=True)
class OrderCancelRequested(OrderState):
    TYPE = "crm.sales.order.cancel_requested.v1"

    reason: str
    requested_by: uuid.UUID | None


@dataclass(frozen=True)
class OrderAcknowledged(OrderState):
    TYPE = "crm.sales.order.acknowledged.v1"

    acknowledged_at: datetime
    partial: bool


@dataclass(frozen=True)
class OrderRejected(OrderState):
    TYPE = "crm.sales.order.rejected.v1"

    code: str
    text: str
    rejected_at: datetime


@dataclass(frozen=True)
class OrderShipped(OrderState):
    TYPE = "crm.sales.order.shipped.v1"

    shipped_at: datetime
    carrier: str | None
    tracking: str | None
    shipment_lines: list[dict[str, Any]]


@dataclass(frozen=True)
class OrderInvoiced(OrderState):
    TYPE = "crm.sales.order.invoiced.v1"

    invoice_number: str
    invoiced_at: datetime
    amount: Money
    cumulative: Money
    document_url: str | None


@dataclass(frozen=True)
class OrderPaid(OrderState):
    TYPE = "crm.sales.order.paid.v1"

    paid_at: datetime
    amount: Money
    cumulative: Money
    settled: bool


@dataclass(frozen=True)
class OrderCancelled(OrderState):
    TYPE = "crm.sales.order.cancelled.v1"

    code: str
    text: str
    cancelled_at: datetime
