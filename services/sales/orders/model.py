"""The order aggregate: submitted to the ERP once per request, and the ERP's answers as they come back.

Answers may repeat, come late or out of order. Quantities and amounts are cumulative and only grow, an answer to an
older request is only noted, and what contradicts itself asks for a person's attention instead of changing state.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

import rfc8785
from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from services.sales.database import Base
from services.sales.orders.errors import ShippedAlready
from services.sales.orders.events import (
    OrderAcknowledged,
    OrderCancelled,
    OrderCancelRequested,
    OrderInvoiced,
    OrderPaid,
    OrderRejected,
    OrderShipped,
    OrderSubmitted,
)
from shared.db.base import AggregateRoot, money
from shared.kernel.errors import IllegalState
from shared.kernel.money import Money

__all__ = ["RESPOND_WITHIN", "Order"]

RESPOND_WITHIN = timedelta(hours=24)
"""How long the ERP has for its business answer before a person is asked to look."""

SHIPPED_KINDS = ("good", "bundle")

_ALLOWED = {
    "submitted": ["cancel"],
    "acknowledged": ["cancel"],
    "rejected": ["resubmit", "cancel"],
}


class Order(AggregateRoot, Base):
    """States: submitted -> acknowledged | rejected; -> cancelling -> cancelled. `technical`: none or received.

    `lines`: as in the message, with `ordered`'s progress: confirmed, shipped, invoiced (decimals as text).
    `handoffs`: one per request to the ERP: {request_no, kind, payload_sha256, sent_at, received_at, answered_at,
    answer, reason}. `attention`: {code, since, detail}.
    """

    __tablename__ = "orders"
    AGGREGATE = "order"

    number: Mapped[str]
    state: Mapped[str]
    technical: Mapped[str]
    request_no: Mapped[int]
    revision: Mapped[int]
    opportunity_id: Mapped[uuid.UUID | None]
    quote_id: Mapped[uuid.UUID | None]
    quote_revision: Mapped[int | None]
    lead_id: Mapped[uuid.UUID | None]
    campaign_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID]
    account_id: Mapped[uuid.UUID]
    account: Mapped[dict[str, Any]]
    contact_id: Mapped[uuid.UUID | None]
    bill_to: Mapped[dict[str, Any]]
    ship_to: Mapped[dict[str, Any]]
    currency: Mapped[str] = mapped_column(CHAR(3))
    lines: Mapped[list[dict[str, Any]]]
    net_total: Mapped[Money] = money("net_total")
    tax_total: Mapped[Money] = money("tax_total")
    gross_total: Mapped[Money] = money("gross_total")
    invoiced_total: Mapped[Money] = money("invoiced_total")
    paid_total: Mapped[Money] = money("paid_total")
    erp_number: Mapped[str | None]
    handoffs: Mapped[list[dict[str, Any]]]
    attention: Mapped[list[dict[str, Any]]]

    @classmethod
    def submit(cls, values: Mapping[str, Any], correlation_id: uuid.UUID, now: datetime) -> Self:
        """A new order, handed to the ERP with the commit. `values`: the fields that a quote or deal gives."""
        nothing = Money.zero(values["currency"])
        order = cls(
            **values,
            state="submitted",
            technical="none",
            request_no=0,
            revision=1,
            invoiced_total=nothing,
            paid_total=nothing,
            handoffs=[],
            attention=[],
        )
        order._hand_off(correlation_id, now)
        return order

    # -- what people do ---------------------------------------------------------------------------------------

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED.get(self.state, [])

    @property
    def respond_by(self) -> datetime:
        """When the ERP's business answer to the last request is due."""
        return datetime.fromisoformat(self.handoffs[-1]["sent_at"]) + RESPOND_WITHIN

    @property
    def awaits_answer(self) -> bool:
        """Whether the ERP still owes its business answer to the last request."""
        return self.handoffs[-1]["answered_at"] is None

    @property
    def fulfilment(self) -> str:
        """none, partial or full: what was shipped of the goods that were confirmed (or ordered, before that is known).
        Services are rendered, not shipped, and do not count."""
        goods = [line for line in self.lines if line["kind"] in SHIPPED_KINDS]
        wanted = [Decimal(line["confirmed"]) or Decimal(line["quantity"]) for line in goods]
        shipped = [Decimal(line["shipped"]) for line in goods]
        if not any(shipped):
            return "none"
        return "full" if all(s >= w for s, w in zip(shipped, wanted, strict=True)) else "partial"

    @property
    def billing(self) -> str:
        """none, partial, full or paid."""
        if self.paid_total.amount and self.gross_total <= self.paid_total:
            return "paid"
        if not self.invoiced_total.amount:
            return "none"
        return "full" if self.gross_total <= self.invoiced_total else "partial"

    def resubmit(self, fixes: Mapping[str, Any], correlation_id: uuid.UUID, now: datetime) -> None:
        """Hand a rejected order off again, corrected. Raises IllegalState."""
        self._require("resubmit")
        for name, value in fixes.items():
            setattr(self, name, value)
        self.state = "submitted"
        self.unflag("rejected")
        self._hand_off(correlation_id, now)

    def cancel(self, reason: str, requested_by: uuid.UUID | None, now: datetime) -> None:
        """Ask the ERP to cancel; an order it has rejected is cancelled at once.

        Raises IllegalState, ShippedAlready.
        """
        self._require("cancel")
        if any(Decimal(line["shipped"]) for line in self.lines):
            raise ShippedAlready("What was shipped is taken back by a return, not by cancelling the order.")
        if self.state == "rejected":
            self._cancelled("cancelled_here", reason, now)
        else:
            self.state = "cancelling"
            self._request_cancellation(reason, requested_by, now)

    # -- what the ERP answers -----------------------------------------------------------------------------------

    def received(self, request_no: int, now: datetime) -> None:
        """The ERP holds the request (a technical fact, no promise)."""
        self._note_handoff(request_no, received_at=now.isoformat())
        if request_no == self.request_no:
            self.unflag("handoff_silent")

    def accepted(
        self,
        request_no: int,
        erp_number: str,
        lines: Sequence[Mapping[str, Any]],
        now: datetime,
        *,
        partial: bool,
    ) -> None:
        """The ERP takes the order, wholly or in part."""
        if self.erp_number is not None and erp_number != self.erp_number:
            self.flag("two_erp_numbers", f"The ERP named {self.erp_number} and {erp_number}.", now)
            return
        if not self._is_news(request_no, "partially_accepted" if partial else "accepted", None, now):
            return
        self.erp_number = erp_number
        self.unflag("shipped_unconfirmed", "no_answer", "handoff_silent")
        if self.state != "submitted":
            self._accepted_too_late(now)
            return
        accepted = {line["line_id"]: line["accepted"] for line in lines}
        self.lines = [
            {**line, "confirmed": accepted.get(line["line_id"], line["quantity"])} for line in self.lines
        ]
        self.state = "acknowledged"
        if partial:
            self.flag("unconfirmed_lines", "The ERP did not confirm everything that was ordered.", now)
        self.record(OrderAcknowledged(**self._state(now), acknowledged_at=now, partial=partial))

    def rejected(self, request_no: int, code: str, text: str, now: datetime) -> bool:
        """The ERP refuses the order, or refuses to cancel it. True when the order is rejected by this answer."""
        if not self._is_news(request_no, "rejected", f"{code}: {text}", now):
            return False
        self.unflag("no_answer", "handoff_silent")
        if self._kind_of(request_no) == "cancel":
            if self.state == "cancelling":
                self.state = "acknowledged" if self.erp_number else "submitted"
            self.flag("cancel_refused", f"{code}: {text}", now)
            return False
        if self.state not in ("submitted", "cancelling"):
            return False
        self.state = "rejected"
        self.flag("rejected", f"{code}: {text}", now)
        self.record(OrderRejected(**self._state(now), code=code, text=text, rejected_at=now))
        return True

    def cancelled_by_erp(self, request_no: int, code: str, text: str, now: datetime) -> bool:
        """The ERP has cancelled the order, asked or by itself. True when it is cancelled by this answer."""
        self._note_handoff(request_no, answered_at=now.isoformat(), answer="cancelled", reason=text)
        kind = self._kind_of(request_no)
        is_known = kind == "cancel" or (kind == "submit" and self._is_last_of_its_kind(request_no))
        if self.state == "cancelled" or not is_known:
            return False
        self._cancelled(code, text, now)
        return True

    def shipped(
        self,
        shipment_lines: Sequence[Mapping[str, Any]],
        shipped_at: datetime,
        carrier: str | None,
        tracking: str | None,
        now: datetime,
    ) -> None:
        """More was shipped; cumulative quantities never go down."""
        told = {line["line_id"]: Decimal(line["cumulative"]) for line in shipment_lines}
        if not self._progress("shipped", told):
            return
        if self.erp_number is None:
            self.flag("shipped_unconfirmed", "The ERP shipped before it accepted the order.", now)
        elif self.state != "acknowledged":
            self.flag("contradiction", f"The ERP shipped an order that is {self.state}.", now)
        self.record(
            OrderShipped(
                **self._state(now),
                shipped_at=shipped_at,
                carrier=carrier,
                tracking=tracking,
                shipment_lines=[dict(line) for line in shipment_lines],
            )
        )

    def invoiced(
        self,
        lines: Sequence[Mapping[str, Any]],
        cumulative: Money,
        invoice_number: str,
        invoiced_at: datetime,
        document_url: str | None,
        now: datetime,
    ) -> None:
        """More was invoiced; cumulative amounts and quantities never go down."""
        self._progress("invoiced", {line["line_id"]: Decimal(line["invoiced"]) for line in lines})
        if not self._is_progress(cumulative, self.invoiced_total, now):
            return
        amount = cumulative - self.invoiced_total
        self.invoiced_total = cumulative
        self.record(
            OrderInvoiced(
                **self._state(now),
                invoice_number=invoice_number,
                invoiced_at=invoiced_at,
                amount=amount,
                cumulative=cumulative,
                document_url=document_url,
            )
        )

    def paid(self, cumulative: Money, paid_at: datetime, now: datetime) -> None:
        """More was paid."""
        if not self._is_progress(cumulative, self.paid_total, now):
            return
        amount = cumulative - self.paid_total
        self.paid_total = cumulative
        settled = self.gross_total <= cumulative
        self.record(
            OrderPaid(
                **self._state(now), paid_at=paid_at, amount=amount, cumulative=cumulative, settled=settled
            )
        )

    # -- attention ----------------------------------------------------------------------------------------------

    def flag(self, code: str, detail: str, since: datetime) -> None:
        """Ask people to look; a code that is there already stays as it is."""
        if all(item["code"] != code for item in self.attention):
            self.attention = [*self.attention, {"code": code, "since": since.isoformat(), "detail": detail}]

    def unflag(self, *codes: str) -> None:
        """The reasons to look have gone."""
        kept = [item for item in self.attention if item["code"] not in codes]
        if len(kept) != len(self.attention):
            self.attention = kept

    # -- how ----------------------------------------------------------------------------------------------------

    def _hand_off(self, correlation_id: uuid.UUID, now: datetime) -> None:
        self._open_handoff("submit", now)
        event = OrderSubmitted(
            **self._state(now),
            bill_to=self.bill_to,
            ship_to=self.ship_to,
            requested_on=None,
            tax_rounding="document",
            respond_by=self.respond_by,
            correlation_id=correlation_id,
            region=self.ship_to.get("region"),
            points_redemption_id=None,
        )
        digest = hashlib.sha256(rfc8785.dumps(event.to_data())).hexdigest()
        self._note_handoff(self.request_no, payload_sha256=digest)
        self.record(event)

    def _request_cancellation(self, reason: str, requested_by: uuid.UUID | None, now: datetime) -> None:
        self._open_handoff("cancel", now)
        self.record(OrderCancelRequested(**self._state(now), reason=reason, requested_by=requested_by))

    def _accepted_too_late(self, now: datetime) -> None:
        """The ERP accepted what we have cancelled: it is asked to cancel again, and the state stays."""
        self.flag("accepted_after_cancellation", f"The ERP accepted it as {self.erp_number} meanwhile.", now)
        self._request_cancellation("accepted after cancellation", None, now)

    def _cancelled(self, code: str, text: str, now: datetime) -> None:
        self.state = "cancelled"
        self.attention = []
        self.record(OrderCancelled(**self._state(now), code=code, text=text, cancelled_at=now))

    def _open_handoff(self, kind: str, now: datetime) -> None:
        self.request_no += 1
        self.technical = "none"
        empty = dict.fromkeys(("payload_sha256", "received_at", "answered_at", "answer", "reason"))
        handoff = {"request_no": self.request_no, "kind": kind, "sent_at": now.isoformat(), **empty}
        self.handoffs = [*self.handoffs, handoff]

    def _note_handoff(self, request_no: int, **values: Any) -> None:
        """Write into the request's page; what is there already stays."""
        self.handoffs = [
            {**h, **{k: v for k, v in values.items() if h[k] is None}} if h["request_no"] == request_no else h
            for h in self.handoffs
        ]
        last = self.handoffs[-1]
        self.technical = "received" if last["received_at"] or last["answered_at"] else "none"

    def _kind_of(self, request_no: int) -> str | None:
        return next((h["kind"] for h in self.handoffs if h["request_no"] == request_no), None)

    def _is_last_of_its_kind(self, request_no: int) -> bool:
        """Whether no later request of the same kind (submission or cancellation) was made."""
        kind = self._kind_of(request_no)
        return all(h["request_no"] <= request_no for h in self.handoffs if h["kind"] == kind)

    def _is_news(self, request_no: int, answer: str, reason: str | None, now: datetime) -> bool:
        """Note an answer. Whether it is the first to the last request of its kind, so that it decides something;
        one that contradicts the first asks for attention."""
        given = next((h["answer"] for h in self.handoffs if h["request_no"] == request_no), None)
        self._note_handoff(request_no, answered_at=now.isoformat(), answer=answer, reason=reason)
        if self._kind_of(request_no) is None or not self._is_last_of_its_kind(request_no):
            return False
        if given is not None and (given == "rejected") != (answer == "rejected"):
            self.flag("contradiction", f"The ERP said {given} first and then {answer}.", now)
        return given is None

    def _is_progress(self, told: Money, known: Money, now: datetime) -> bool:
        if told.currency != self.currency:
            self.flag("wrong_currency", f"The ERP reckons in {told.currency}, not in {self.currency}.", now)
            return False
        return known < told

    def _progress(self, field: str, told: Mapping[str, Decimal]) -> bool:
        moved = False
        lines = []
        for line in self.lines:
            quantity = max(Decimal(line[field]), told.get(line["line_id"], Decimal(0)))
            moved = moved or quantity != Decimal(line[field])
            lines.append({**line, field: format(quantity, "f")})
        if moved:
            self.lines = lines
        return moved

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"An order that is {self.state} cannot {verb}.", state=self.state, allowed=self.allowed
            )

    def _state(self, now: datetime) -> dict[str, Any]:
        return {
            "order_id": self.id,
            "number": self.number,
            "request_no": self.request_no,
            "revision": self.revision,
            "state": self.state,
            "fulfilment": self.fulfilment,
            "billing": self.billing,
            "opportunity_id": self.opportunity_id,
            "quote_id": self.quote_id,
            "quote_revision": self.quote_revision,
            "lead_id": self.lead_id,
            "campaign_id": self.campaign_id,
            "owner_id": self.owner_id,
            "account_id": self.account_id,
            "account": self.account,
            "contact_id": self.contact_id,
            "currency": self.currency,
            "lines": self.lines,
            "net_total": self.net_total,
            "tax_total": self.tax_total,
            "gross_total": self.gross_total,
            "erp_number": self.erp_number,
            "origin": "user",
            "effective_at": now,
        }
