"""The demo ERP's documents, and the scripts that tell it how to behave.

quotation -> confirmed (ships, invoices, is paid by itself) | cancelled
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import Mapped, mapped_column

from services.erp.database import Base
from services.erp.demo_erp.errors import DemoRefusal
from services.erp.demo_erp.reckoning import gross_of, reckon
from services.erp.erp_document import CANCELLED, CONFIRMED, QUOTATION, plain

__all__ = ["ACTIONS", "DemoChange", "DemoCustomer", "DemoDocument", "DemoScript", "Effects"]

SHIPPED_KINDS = ("good", "bundle")
LONGEST_SERIAL_LIST = 100

ACTIONS = {
    "accept": "confirm",
    "partial": "confirm",
    "reject": "confirm",
    "round_per_line": "create",
    "slow": "create",
    "error_before": "create",
    "error_after_commit": "create",
    "down": "create",
    "answer_twice": "confirm",
    "out_of_order": "confirm",
}
"""What a script can do, and on which request unless it says otherwise."""

Effects = Mapping[str, Mapping[str, Any]]
"""The scripts that apply to a request: parameters by action."""


class DemoCustomer(Base):
    """A customer, made with the first order of an account."""

    __tablename__ = "demo_customers"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str]
    name: Mapped[str]

    @property
    def number(self) -> str:
        return f"C-{10_000 + self.id}"


class DemoScript(Base):
    """One instruction: when a request on the step `on` concerns an order that fits `field` and `value`, do `action`.

    `remaining`: how often still, None for always. `down_until`: the ERP cannot be reached before.
    """

    __tablename__ = "demo_scripts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    field: Mapped[str]
    value: Mapped[str | None]
    action: Mapped[str]
    on: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    remaining: Mapped[int | None]
    down_until: Mapped[datetime | None]

    def fits(self, order: Mapping[str, Any]) -> bool:
        """Whether `order` (reference, number, customer, skus, gross) is meant."""
        wanted = self.value or ""
        match self.field:
            case "any":
                return True
            case "customer":
                return wanted.casefold() in str(order["customer"]).casefold()
            case "sku":
                return wanted in order["skus"]
            case "gross_at_least":
                return Decimal(wanted) <= Decimal(order["gross"])
            case _:
                return wanted == order[self.field]


class DemoChange(Base):
    """An entry of the change feed: a document as it was after a change. `seq` follows commit order."""

    __tablename__ = "demo_changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(BigInteger)
    snapshot: Mapped[dict[str, Any]]


class DemoDocument(Base):
    """A sales order of the demo ERP. Nothing keeps two documents from bearing the same reference: whoever creates one
    has to look first, and a mistake shows."""

    __tablename__ = "demo_documents"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str]
    order_number: Mapped[str]
    customer_id: Mapped[int] = mapped_column(BigInteger)
    customer: Mapped[str]
    state: Mapped[str]
    revision: Mapped[int]
    currency: Mapped[str]
    lines: Mapped[list[dict[str, Any]]]
    net: Mapped[Decimal]
    tax: Mapped[Decimal]
    gross: Mapped[Decimal]
    due: Mapped[Decimal | None]
    code: Mapped[str | None]
    text: Mapped[str | None]
    shipments: Mapped[list[dict[str, Any]]]
    invoices: Mapped[list[dict[str, Any]]]
    payments: Mapped[list[dict[str, Any]]]
    feed: Mapped[dict[str, Any]]
    next_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    created_at: Mapped[datetime]

    @classmethod
    def quote(cls, order: Mapping[str, Any], customer: DemoCustomer, effects: Effects, now: datetime) -> Self:
        """A quotation from a request. Raises DemoRefusal."""
        _refuse_if_told(effects)
        try:
            net, tax, gross = reckon(order["lines"], order["currency"], per_line="round_per_line" in effects)
        except ValueError as error:
            raise DemoRefusal("unknown_tax_code", str(error)) from None
        return cls(
            reference=order["reference"],
            order_number=order["number"],
            customer_id=customer.id,
            customer=customer.name,
            state=QUOTATION,
            revision=1,
            currency=order["currency"],
            lines=[dict(line) for line in order["lines"]],
            net=net,
            tax=tax,
            gross=gross,
            shipments=[],
            invoices=[],
            payments=[],
            feed={},
            changed_at=now,
            created_at=now,
        )

    @property
    def number(self) -> str:
        """What people call it."""
        return f"SO-{self.created_at.year}-{self.id:04d}"

    @property
    def facts(self) -> dict[str, Any]:
        """What scripts look at."""
        return {
            "reference": self.reference,
            "number": self.order_number,
            "customer": self.customer,
            "skus": [line["sku"] for line in self.lines],
            "gross": self.gross,
        }

    def confirm(self, effects: Effects, step: timedelta, now: datetime) -> None:
        """Decide on a quotation; a document that is confirmed stays as it is. Raises DemoRefusal."""
        if self.state == CONFIRMED:
            return
        if self.state == CANCELLED:
            raise DemoRefusal("cancelled", f"{self.number} is cancelled")
        _refuse_if_told(effects)
        partial = effects.get("partial")
        chosen = None if partial is None else partial.get("sku") or self.lines[0]["sku"]
        self.lines = [
            line if line["is_rounding"] else _decided(line, partial if line["sku"] == chosen else None)
            for line in self.lines
        ]
        if partial is not None:
            self.code, self.text = partial["code"], partial["text"]
        self.feed = {name: True for name in ("answer_twice", "out_of_order") if name in effects}
        self.due = gross_of(self.lines, self._promised(rounds=2), self.currency)
        self.state = CONFIRMED
        self._changed(now)
        self.next_at = now + step if any(self._promised(rounds=2).values()) else None

    def cancel(self, effects: Effects, now: datetime) -> None:
        """End it; what was shipped or invoiced cannot be undone. Raises DemoRefusal."""
        if self.state == CANCELLED:
            return
        _refuse_if_told(effects)
        if self.shipments:
            raise DemoRefusal(
                "already_shipped", f"{self.number} was shipped on {self.shipments[0]['shipped_at'][:10]}"
            )
        if self.invoices:
            raise DemoRefusal(
                "already_invoiced", f"{self.number} was invoiced as {self.invoices[0]['number']}"
            )
        self.state, self.next_at = CANCELLED, None
        self.code, self.text = "cancelled_on_request", "Cancelled before picking"
        self._changed(now)

    def advance(self, step: timedelta, now: datetime) -> None:
        """Do what is due next: ship, invoice, be paid; then the same for what was backordered."""
        for rounds in (1, 2):
            promised = self._promised(rounds=rounds)
            goods = {line["line_id"] for line in self.lines if line["kind"] in SHIPPED_KINDS}
            to_ship = _missing({i: q for i, q in promised.items() if i in goods}, self.shipments)
            to_invoice = _missing(promised, self.invoices)
            invoiced = sum((Decimal(i["amount"]) for i in self.invoices), Decimal(0))
            paid = sum((Decimal(p["amount"]) for p in self.payments), Decimal(0))
            if to_ship:
                self._ship(to_ship, now)
            elif to_invoice:
                self._invoice(to_invoice, gross_of(self.lines, promised, self.currency) - invoiced, now)
            elif paid < invoiced:
                payment = {"id": f"P-{self.id}-{len(self.payments) + 1}", "amount": str(invoiced - paid)}
                self.payments = [*self.payments, {**payment, "paid_at": now.isoformat()}]
            else:
                continue
            self._changed(now)
            self.next_at = now + step
            return
        self.next_at = None

    def snapshot(self) -> dict[str, Any]:
        """The document as a request shows it."""
        return {
            "id": str(self.id),
            "number": self.number,
            "reference": self.reference,
            "order_number": self.order_number,
            "revision": self.revision,
            "state": self.state,
            "currency": self.currency,
            "customer_id": str(self.customer_id),
            "customer_number": f"C-{10_000 + self.customer_id}",
            "lines": self.lines,
            "net": str(self.net),
            "tax": str(self.tax),
            "gross": str(self.gross),
            "due": None if self.due is None else str(self.due),
            "code": self.code,
            "text": self.text,
            "shipments": self.shipments,
            "invoices": self.invoices,
            "payments": self.payments,
            "changed_at": self.changed_at.isoformat(),
        }

    def _promised(self, *, rounds: int) -> dict[str, Decimal]:
        """What is to be delivered by line: with one round what was accepted, with two the backorders as well."""
        names = ("accepted", "backordered")[:rounds]
        return {
            line["line_id"]: sum((Decimal(line["answer"][name]) for name in names), Decimal(0))
            for line in self.lines
            if not line["is_rounding"]
        }

    def _ship(self, quantities: Mapping[str, Decimal], now: datetime) -> None:
        number = len(self.shipments) + 1
        skus = {line["line_id"]: line["sku"] for line in self.lines if not line["is_rounding"]}
        moved = [
            {"line_id": i, "quantity": plain(q), "serials": _serials(f"{skus[i]}-{self.id}-{number}", q)}
            for i, q in quantities.items()
        ]
        parcel = {"carrier": "Demo Parcel", "tracking": f"DP{self.id:06d}{number:02d}"}
        shipment = {"id": f"S-{self.id}-{number}", "shipped_at": now.isoformat(), **parcel, "lines": moved}
        self.shipments = [*self.shipments, shipment]

    def _invoice(self, quantities: Mapping[str, Decimal], amount: Decimal, now: datetime) -> None:
        number = f"INV-{now.year}-{self.id:04d}-{len(self.invoices) + 1}"
        lines = [{"line_id": i, "quantity": plain(q)} for i, q in quantities.items()]
        told = {"id": number, "number": number, "invoiced_at": now.isoformat(), "amount": str(amount)}
        self.invoices = [*self.invoices, {**told, "lines": lines}]

    def _changed(self, now: datetime) -> None:
        self.revision += 1
        self.changed_at = now


def _refuse_if_told(effects: Effects) -> None:
    if "reject" in effects:
        raise DemoRefusal(effects["reject"]["code"], effects["reject"]["text"])


def _decided(line: Mapping[str, Any], partial: Mapping[str, Any] | None) -> dict[str, Any]:
    ordered = Decimal(line["quantity"])
    rejected = min(ordered, Decimal(partial["rejected"])) if partial else Decimal(0)
    backordered = min(ordered - rejected, Decimal(partial["backordered"])) if partial else Decimal(0)
    answer = {
        "accepted": plain(ordered - rejected - backordered),
        "backordered": plain(backordered),
        "backordered_until": partial["backordered_until"] if partial and backordered else None,
        "rejected": plain(rejected),
        "rejected_code": partial["code"] if partial and rejected else None,
    }
    return {**line, "answer": answer}


def _missing(wanted: Mapping[str, Decimal], moved: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """What of `wanted` no shipment or invoice holds yet, by line; lines that miss nothing are left out."""
    done: dict[str, Decimal] = {}
    for part in moved:
        for line in part["lines"]:
            done[line["line_id"]] = done.get(line["line_id"], Decimal(0)) + Decimal(line["quantity"])
    rest = {line_id: quantity - done.get(line_id, Decimal(0)) for line_id, quantity in wanted.items()}
    return {line_id: quantity for line_id, quantity in rest.items() if quantity > 0}


def _serials(prefix: str, quantity: Decimal) -> list[str]:
    whole = quantity == quantity.to_integral_value() and quantity <= LONGEST_SERIAL_LIST
    return [f"{prefix}-{n:03d}" for n in range(1, int(quantity) + 1)] if whole else []
