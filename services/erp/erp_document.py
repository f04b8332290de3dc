"""A sales order as the ERP holds it, whatever the ERP: the form that every port translates into.

Quantities and amounts are exact; ids are the ERP's own text, `reference` is our order's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import rfc8785

__all__ = [
    "CANCELLED",
    "CONFIRMED",
    "QUOTATION",
    "ErpDocument",
    "ErpLine",
    "HashedLine",
    "Invoice",
    "LineAnswer",
    "Payment",
    "Shipment",
    "ShippedLine",
    "content_hash",
    "plain",
]

QUOTATION = "quotation"
CONFIRMED = "confirmed"
CANCELLED = "cancelled"


def plain(quantity: Decimal) -> str:
    """A quantity as text without an exponent or needless zeros: 24.000 -> "24", 0.50 -> "0.5"."""
    text = format(quantity, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What the ERP decided on a line. `accepted + backordered + rejected` is what was ordered."""

    line_id: str
    accepted: Decimal
    backordered: Decimal = Decimal(0)
    backordered_until: date | None = None
    rejected: Decimal = Decimal(0)
    rejected_code: str | None = None


@dataclass(frozen=True, slots=True)
class ErpLine:
    """A line of the document; `answer` is None before the ERP has decided, and on rounding lines."""

    line_id: str
    is_rounding: bool
    sku: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    tax_code: str
    answer: LineAnswer | None


@dataclass(frozen=True, slots=True)
class ShippedLine:
    """How much of a line is in a shipment."""

    line_id: str
    quantity: Decimal
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that left. `id` is the ERP's, each is told once."""

    id: str
    shipped_at: datetime
    carrier: str | None
    tracking: str | None
    lines: tuple[ShippedLine, ...]


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice; `amount` is gross, `lines` say how much of each line it bills."""

    id: str
    number: str
    invoiced_at: datetime
    amount: Decimal
    lines: tuple[ShippedLine, ...]
    document_url: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in for the order."""

    id: str
    paid_at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ErpDocument:
    """A snapshot. `revision` grows with every change in the ERP; `due` is the gross of all that the ERP will deliver,
    None before it has decided; `code` and `text` give the reason of a partial answer or a cancellation."""

    id: str
    number: str
    reference: str
    revision: int
    state: str
    currency: str
    customer_id: str
    customer_number: str | None
    lines: tuple[ErpLine, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    due: Decimal | None
    code: str | None
    text: str | None
    shipments: tuple[Shipment, ...]
    invoices: tuple[Invoice, ...]
    payments: tuple[Payment, ...]
    changed_at: datetime

    @property
    def answers(self) -> tuple[LineAnswer, ...]:
        """What the ERP decided, line by line."""
        return tuple(line.answer for line in self.lines if line.answer is not None)

    @property
    def happenings(self) -> tuple[Shipment | Invoice | Payment, ...]:
        """What was shipped, invoiced and paid, as it happened; in one instant shipments come first, payments last."""
        shipped = ((one.shipped_at, one) for one in self.shipments)
        invoiced = ((one.invoiced_at, one) for one in self.invoices)
        paid = ((one.paid_at, one) for one in self.payments)
        timed: list[tuple[datetime, Shipment | Invoice | Payment]] = [*shipped, *invoiced, *paid]
        return tuple(one for _, one in sorted(timed, key=lambda pair: pair[0]))

    @property
    def content_hash(self) -> str:
        """See `content_hash`."""
        return content_hash(self.reference, self.currency, self.lines)


class HashedLine(Protocol):
    """What of a line decides whether two documents are the same."""

    @property
    def line_id(self) -> str: ...
    @property
    def is_rounding(self) -> bool: ...
    @property
    def sku(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def unit_price(self) -> Decimal: ...
    @property
    def tax_code(self) -> str: ...


def content_hash(reference: str, currency: str, lines: Sequence[HashedLine]) -> str:
    """SHA-256 in hex over the RFC 8785 form of what was ordered: the same for what we send and for what is read
    back, whatever the order of the lines and the zeros behind a point."""
    content: dict[str, Any] = {
        "reference": reference,
        "currency": currency,
        "lines": [
            {
                "line": line.line_id,
                "rounding": line.is_rounding,
                "sku": line.sku,
                "unit": line.unit,
                "quantity": plain(line.quantity),
                "unit_price": plain(line.unit_price),
                "tax_code": line.tax_code,
            }
            for line in sorted(lines, key=lambda line: (line.line_id, line.is_rounding))
        ],
    }
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()
