"""The link aggregate: one of our orders on its way through the ERP. Its id is the order's.

    queued -> creating -> created -> accepted
                 |  ^        |          |
                 v  |        +----------+--> rejected, blocked, cancelling -> cancelled
               unsure

`creating` is committed before the call; `unsure` means that a create may or may not have taken effect.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.erp.canonical_order import order_hash
from services.erp.database import Base
from services.erp.erp_document import (
    CANCELLED,
    CONFIRMED,
    ErpDocument,
    Invoice,
    LineAnswer,
    Payment,
    Shipment,
    ShippedLine,
    plain,
)
from services.erp.links.errors import LinesDoNotAddUp, NotBlockedByTotals, OtherContent
from services.erp.links.events import (
    OrderAccepted,
    OrderCancelled,
    OrderInvoiced,
    OrderPaid,
    OrderPartiallyAccepted,
    OrderReceived,
    OrderRejected,
    OrderShipped,
)
from shared.db.base import AggregateRoot, money
from shared.kernel.errors import IllegalState
from shared.kernel.money import Money

__all__ = ["STATES", "TOTALS_DIFFER", "UNMAPPED", "Exchange", "InboundAnswer", "Link"]

STATES = (
    "queued",
    "creating",
    "unsure",
    "created",
    "accepted",
    "rejected",
    "blocked",
    "cancelling",
    "cancelled",
)
UNMAPPED = "unmapped"
TOTALS_DIFFER = "totals_differ"
NEVER_SENT = "never_sent"

_UNDECIDED = ("queued", "creating", "unsure", "created")
_ALLOWED = {"rejected": ["resend"], "blocked": ["resend", "reject"]}


class Link(AggregateRoot, Base):
    """An order and its document. `submit_no` and `cancel_no` are the last requests of their kind, `request_no` the
    last one that was answered; `lines` hold what the ERP decided and did, cumulative; `told` are the ids of
    shipments, invoices and payments that were made facts; `asked_event_id` is the fact behind the last request."""

    __tablename__ = "links"
    AGGREGATE = "order"

    number: Mapped[str]
    account_id: Mapped[uuid.UUID]
    account_name: Mapped[str]
    currency: Mapped[str] = mapped_column(CHAR(3))
    state: Mapped[str]
    submit_no: Mapped[int]
    cancel_no: Mapped[int | None]
    request_no: Mapped[int]
    order: Mapped[dict[str, Any]]
    order_hash: Mapped[str]
    content_hash: Mapped[str | None]
    mapping_version: Mapped[int | None]
    erp_id: Mapped[str | None]
    erp_number: Mapped[str | None]
    lines: Mapped[list[dict[str, Any]]]
    net_total: Mapped[Money] = money("net_total")
    tax_total: Mapped[Money] = money("tax_total")
    gross_total: Mapped[Money] = money("gross_total")
    due_total: Mapped[Money] = money("due_total")
    invoiced_total: Mapped[Money] = money("invoiced_total")
    paid_total: Mapped[Money] = money("paid_total")
    told: Mapped[list[str]]
    acceptance_told: Mapped[bool]
    takes_erp_figures: Mapped[bool]
    last_error: Mapped[str | None]
    blocked_reason: Mapped[str | None]
    blocked_detail: Mapped[dict[str, Any] | None]
    asked_event_id: Mapped[str | None]
    attempts: Mapped[list[Exchange]] = relationship(
        primaryjoin="foreign(Exchange.order_id) == Link.id",
        order_by="(Exchange.started_at, Exchange.id)",
        viewonly=True,
    )

    @classmethod
    def take(cls, order: Mapping[str, Any], event_id: str) -> Self:
        """A link of a newly submitted order, which is the data of the fact `event_id` in wire form."""
        link = cls(id=uuid.UUID(order["order_id"]), request_no=order["request_no"])
        link._take(order, event_id)
        return link

    @classmethod
    def take_cancelled(
        cls, order: Mapping[str, Any], request_no: int, reason: str, event_id: str, now: datetime
    ) -> Self:
        """A link of an order that was never seen before its cancellation: there is nothing to call."""
        link = cls.take(order, event_id)
        link.ask_cancellation(request_no, reason, event_id, now)
        return link

    def _take(self, order: Mapping[str, Any], event_id: str) -> None:
        nothing = Money.zero(order["currency"])
        self.number = order["number"]
        self.account_id = uuid.UUID(order["account"]["id"])
        self.account_name = order["account"]["name"]
        self.currency = order["currency"]
        self.state = "queued"
        self.submit_no = order["request_no"]
        self.order = dict(order)
        self.order_hash = order_hash(order)
        self.lines = [
            {
                "line_id": line["line_id"],
                "sku": line["sku"],
                "ordered": plain(Decimal(line["quantity"])),
                **_UNANSWERED,
                "shipped": "0",
                "invoiced": "0",
            }
            for line in order["lines"]
        ]
        self.net_total, self.tax_total, self.gross_total = (
            Money.from_data(order[name]) for name in ("net_total", "tax_total", "gross_total")
        )
        self.due_total = self.gross_total
        self.invoiced_total = self.paid_total = nothing
        self.told = []
        self.acceptance_told = self.takes_erp_figures = False
        self.erp_id = self.erp_number = self.content_hash = self.mapping_version = None
        self.last_error = self.blocked_reason = self.blocked_detail = None
        self.asked_event_id = event_id

    # -- what sales asks ----------------------------------------------------------------------------------------

    def submit_again(self, order: Mapping[str, Any], event_id: str) -> bool:
        """Sales sent the order again: False for a repeat, True for a correction of one that was rejected.

        Raises OtherContent, IllegalState.
        """
        if order["request_no"] <= self.submit_no:
            if order["request_no"] == self.submit_no and order_hash(order) != self.order_hash:
                raise OtherContent(
                    f"Request {self.submit_no} of the order {self.number} came with another content before."
                )
            return False
        if self.state not in ("rejected", "blocked") or (self.state == "blocked" and self.erp_id is not None):
            raise IllegalState(
                f"The order {self.number} is {self.state} and cannot be replaced by a correction.",
                state=self.state,
                allowed=self.allowed,
            )
        self._take(order, event_id)
        return True

    def ask_cancellation(self, request_no: int, reason: str, event_id: str, now: datetime) -> bool:
        """Sales wants the order cancelled: True where the ERP has to be asked."""
        if self.cancel_no is not None and request_no <= self.cancel_no:
            return False
        self.cancel_no, self.asked_event_id = request_no, event_id
        if self.state in ("queued", "rejected", "cancelled") or (
            self.state == "blocked" and self.erp_id is None
        ):
            text = (
                "Cancelled before it reached the ERP"
                if self.erp_id is None
                else "There was nothing to cancel"
            )
            self._cancel(NEVER_SENT if self.erp_id is None else "not_live", text, now)
            return False
        self._enter("cancelling")
        return True

    # -- the way into the ERP ---------------------------------------------------------------------------------

    @property
    def allowed(self) -> list[str]:
        """The verbs of a person that its state allows."""
        verbs = _ALLOWED.get(self.state, [])
        return [*verbs, "take-erp-figures"] if self.blocked_reason == TOTALS_DIFFER else list(verbs)

    @property
    def is_in_creation(self) -> bool:
        """Whether a document has to be made or found."""
        return self.state in ("queued", "creating", "unsure")

    def start_creation(self, content_hash: str | None, mapping_version: int | None) -> None:
        """The call is about to be made; this is committed before it."""
        self._enter("creating")
        self.content_hash, self.mapping_version = content_hash, mapping_version

    def doubt(self, reason: str) -> None:
        """A create may or may not have taken effect."""
        if self.state == "creating":
            self._enter("unsure")
        self.last_error = reason

    def block(self, reason: str, detail: Mapping[str, Any]) -> None:
        """A person, or an edit of a table, has to help."""
        if self.state != "cancelling":
            self._enter("blocked")
            self.blocked_reason, self.blocked_detail = reason, dict(detail)

    def adopt(self, document: ErpDocument) -> None:
        """This document is the order: told as received."""
        self.erp_id, self.erp_number = document.id, document.number
        if self.is_in_creation:
            self._enter("created")
            self._receive(document.changed_at)

    def figures_agree(self, document: ErpDocument) -> bool:
        """Whether net, tax and gross are ours to the minor unit, or a person took the ERP's."""
        ours = (self.net_total.amount, self.tax_total.amount, self.gross_total.amount)
        return self.takes_erp_figures or ours == (document.net, document.tax, document.gross)

    # -- what the ERP answers -----------------------------------------------------------------------------------

    def receive(self, erp_number: str | None, at: datetime) -> None:
        """A technical receipt from an ERP that answers by itself. Raises IllegalState."""
        if self.is_in_creation:
            self.erp_number = erp_number
            self._enter("created")
            self._receive(at)
        else:
            self._require("receive", "created", "accepted", "cancelling")

    def decide(
        self, answers: Sequence[LineAnswer], erp_number: str, code: str | None, text: str | None, at: datetime
    ) -> None:
        """The ERP's decision, line by line: accepted, accepted in part, or rejected where no line is left.

        Raises IllegalState, LinesDoNotAddUp.
        """
        self._require("decide", *_UNDECIDED)
        by_line = {answer.line_id: answer for answer in answers}
        lines = [{**line, **_answered(line, by_line.get(line["line_id"]))} for line in self.lines]
        self.erp_number = erp_number
        if self.is_in_creation:
            self._receive(at)
        self.lines = lines
        if any(Decimal(line["accepted"]) + Decimal(line["backordered"]) for line in lines):
            self._enter("accepted")
            self._tell_acceptance(code, text, at)
        else:
            self._reject(code or "rejected", text or "The ERP rejected every line.", at)

    def refuse(self, code: str, text: str, at: datetime) -> None:
        """The ERP refuses the order. Raises IllegalState."""
        if self.state == "cancelling":
            self.last_error = f"{code}: {text}"
            return
        self._require("refuse", *_UNDECIDED, "blocked")
        self.lines = [
            {**line, **_UNANSWERED, "rejected": line["ordered"], "rejected_code": code} for line in self.lines
        ]
        self._reject(code, text, at)

    def ship(self, shipment: Shipment) -> None:
        """Goods left; a shipment that was told is not told again. Raises IllegalState."""
        self._require("ship", "accepted")
        if not self._is_news(f"shipment {shipment.id}"):
            return
        cumulative = self._add("shipped", shipment.lines)
        self._fact(
            OrderShipped,
            shipment.shipped_at,
            shipment_lines=[
                {
                    "line_id": line.line_id,
                    "quantity": plain(line.quantity),
                    "cumulative": cumulative[line.line_id],
                    "serials": list(line.serials),
                }
                for line in shipment.lines
            ],
            shipped_at=shipment.shipped_at,
            carrier=shipment.carrier,
            tracking=shipment.tracking,
        )

    def invoice(self, invoice: Invoice) -> None:
        """An invoice was written; each is told once. Raises IllegalState."""
        self._require("invoice", "accepted")
        if not self._is_news(f"invoice {invoice.id}"):
            return
        self._add("invoiced", invoice.lines)
        amount = Money.of(invoice.amount, self.currency)
        self.invoiced_total = self.invoiced_total + amount
        self._fact(
            OrderInvoiced,
            invoice.invoiced_at,
            invoice_number=invoice.number,
            invoiced_at=invoice.invoiced_at,
            amount=amount,
            cumulative=self.invoiced_total,
            document_url=invoice.document_url,
        )

    def pay(self, payment: Payment) -> None:
        """Money came in; each payment is told once. Raises IllegalState."""
        self._require("pay", "accepted")
        if not self._is_news(f"payment {payment.id}"):
            return
        amount = Money.of(payment.amount, self.currency)
        self.paid_total = self.paid_total + amount
        self._fact(
            OrderPaid,
            payment.paid_at,
            paid_at=payment.paid_at,
            amount=amount,
            cumulative=self.paid_total,
            settled=self.due_total <= self.paid_total,
        )

    def cancelled(self, code: str, text: str, at: datetime) -> None:
        """The ERP has cancelled the document, asked or by itself. Raises IllegalState."""
        self._require("cancel", "creating", "unsure", "created", "accepted", "cancelling")
        self._cancel(code, text, at)

    def keep(self, code: str, text: str, at: datetime, document: ErpDocument | None = None) -> None:
        """The ERP will not cancel: the order stands, as `document` has it. Raises IllegalState."""
        self._require("keep", "cancelling")
        self._enter("accepted" if self.acceptance_told else "created")
        if document is not None:
            self.follow(document)
        self.request_no = self.cancel_no or self.request_no
        self._fact(OrderRejected, at, code=code, text=text)

    def follow(self, document: ErpDocument) -> None:
        """Make facts of all that is new in a snapshot, in the order in which it happened.

        An older snapshot than the last holds nothing new; while the ERP is asked to cancel, nothing is taken.
        """
        if self.state not in ("created", "accepted"):
            return
        if self.state == "created" and document.state == CONFIRMED:
            if document.due is not None:
                self.due_total = Money.of(document.due, self.currency)
            self.decide(document.answers, document.number, document.code, document.text, document.changed_at)
        if self.state == "accepted":
            for happening in document.happenings:
                self._tell(happening)
        if document.state == CANCELLED and self.state in ("created", "accepted"):
            self.cancelled(
                document.code or "cancelled_in_erp", document.text or "Cancelled there", document.changed_at
            )

    # -- what a person does -----------------------------------------------------------------------------------

    def resend(self) -> None:
        """Try again from the start. Raises IllegalState."""
        self._require("resend", "rejected", "blocked")
        self._take(self.order, self.asked_event_id or "")

    def resume(self) -> None:
        """The table that was in the way has been edited."""
        self._require("resume", "blocked")
        self._enter("queued")

    def take_erp_figures(self) -> None:
        """The ERP's totals are right. Raises IllegalState, NotBlockedByTotals."""
        self._require("take-erp-figures", "blocked")
        if self.blocked_reason != TOTALS_DIFFER:
            raise NotBlockedByTotals("Only an order whose totals differ waits for this decision.")
        self._enter("created")
        self.takes_erp_figures = True

    def reject(self, reason: str, at: datetime) -> None:
        """Give a blocked order up. Raises IllegalState."""
        self._require("reject", "blocked")
        self.refuse("rejected_by_person", reason, at)

    # -- inside -----------------------------------------------------------------------------------------------

    def _require(self, verb: str, *states: str) -> None:
        if self.state not in states:
            raise IllegalState(
                f"The order {self.number} is {self.state}: it cannot {verb.replace('-', ' ')}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _enter(self, state: str) -> None:
        self.state = state
        self.blocked_reason = self.blocked_detail = self.last_error = None

    def _receive(self, at: datetime) -> None:
        self.request_no = self.submit_no
        self._fact(OrderReceived, at)

    def _reject(self, code: str, text: str, at: datetime) -> None:
        self._enter("rejected")
        self.last_error = f"{code}: {text}"
        self.request_no = self.submit_no
        self._fact(OrderRejected, at, code=code, text=text)

    def _cancel(self, code: str, text: str, at: datetime) -> None:
        self._enter("cancelled")
        self.lines = [{**line, **_UNANSWERED} for line in self.lines]
        if self.cancel_no is not None:
            self.request_no = self.cancel_no
        self._fact(OrderCancelled, at, code=code, text=text)

    def _tell_acceptance(self, code: str | None, text: str | None, at: datetime) -> None:
        self.acceptance_told = True
        self.request_no = self.submit_no
        if all(line["accepted"] == line["ordered"] for line in self.lines):
            self._fact(OrderAccepted, at)
            return
        codes = [line["rejected_code"] for line in self.lines if line["rejected_code"]]
        self._fact(
            OrderPartiallyAccepted,
            at,
            code=code or (codes[0] if codes else "backordered"),
            text=text or "The ERP confirmed a part of the order.",
        )

    def _tell(self, happening: Shipment | Invoice | Payment) -> None:
        match happening:
            case Shipment():
                self.ship(happening)
            case Invoice():
                self.invoice(happening)
            case Payment():
                self.pay(happening)

    def _is_news(self, told: str) -> bool:
        if told in self.told:
            return False
        self.told = [*self.told, told]
        return True

    def _add(self, name: str, moved: Sequence[ShippedLine]) -> dict[str, str]:
        """Add quantities to `shipped` or `invoiced`; the new sums by line."""
        sums = {line["line_id"]: Decimal(line[name]) for line in self.lines}
        for line in moved:
            if line.line_id not in sums:
                raise LinesDoNotAddUp.field("/lines", f"The order has no line {line.line_id}.")
            sums[line.line_id] += line.quantity
        self.lines = [{**line, name: plain(sums[line["line_id"]])} for line in self.lines]
        return {line_id: plain(quantity) for line_id, quantity in sums.items()}

    def _fact(self, event: Callable[..., Any], at: datetime, **more: Any) -> None:
        self.record(
            event(
                order_id=self.id,
                request_no=self.request_no,
                erp_number=self.erp_number,
                # Every fact of this aggregate is one that the ERP tells about the order.
                erp_sequence=self.event_no + 1,
                occurred_at=at,
                currency=self.currency,
                lines=self.lines,
                invoiced_total=self.invoiced_total,
                paid_total=self.paid_total,
                **more,
            )
        )


_UNANSWERED: dict[str, Any] = {
    "accepted": "0",
    "backordered": "0",
    "backordered_until": None,
    "rejected": "0",
    "rejected_code": None,
}


def _answered(line: Mapping[str, Any], answer: LineAnswer | None) -> dict[str, Any]:
    """The answer to a line in stored form. Raises LinesDoNotAddUp."""
    decided = Decimal(0) if answer is None else answer.accepted + answer.backordered + answer.rejected
    if answer is None or decided != Decimal(line["ordered"]):
        raise LinesDoNotAddUp.field(
            "/lines", f"Line {line['line_id']}: {line['ordered']} were ordered, {plain(decided)} answered."
        )
    if answer.backordered and answer.backordered_until is None:
        raise LinesDoNotAddUp.field("/lines", f"Line {line['line_id']}: what is backordered needs a date.")
    if answer.rejected and answer.rejected_code is None:
        raise LinesDoNotAddUp.field("/lines", f"Line {line['line_id']}: what is rejected needs a code.")
    until = answer.backordered_until
    return {
        "accepted": plain(answer.accepted),
        "backordered": plain(answer.backordered),
        "backordered_until": until.isoformat() if until else None,
        "rejected": plain(answer.rejected),
        "rejected_code": answer.rejected_code,
    }


class Exchange(Base):
    """A call to the ERP, or a person's decision to call again. `answer`: ok, refused, unknown or not_reached; None
    while nothing was heard, which after a crash means that the call may have taken effect."""

    __tablename__ = "exchanges"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID]
    step: Mapped[str]
    request: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    answer: Mapped[str | None]
    detail: Mapped[str | None]
    duration_ms: Mapped[int | None]


class InboundAnswer(Base):
    """An answer that another system sent; its id is good for one answer."""

    __tablename__ = "inbound_answers"

    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID]
    type: Mapped[str]
    body_hash: Mapped[str]
    received_at: Mapped[datetime]
