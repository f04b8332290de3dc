"""The quote aggregate."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

import rfc8785
from sqlalchemy import CHAR
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.sales.database import Base
from services.sales.pricing import PricedTotals
from services.sales.quotes.errors import AlreadyAccepted, DocumentChanged, NoLines, OwnApproval
from services.sales.quotes.errors import QuoteExpired as ExpiredQuote
from services.sales.quotes.events import QuoteAccepted, QuoteApproved, QuoteDeclined, QuoteExpired, QuoteSent
from shared.db.base import AggregateRoot, money
from shared.kernel.errors import IllegalState
from shared.kernel.events import to_data
from shared.kernel.money import Money

__all__ = ["ApprovalRuleRow", "Quote"]

_ALLOWED = {
    "draft": ["edit", "submit"],
    "in_approval": ["approve", "reject", "recall"],
    "approved": ["send", "recall", "revise"],
    "sent": ["accept", "decline", "revise"],
    "declined": ["revise"],
    "expired": ["revise"],
}
_TOLD = (
    "line_id product_id sku name kind quantity unit unit_net net tax_code needs_installation warranty_months"
).split()


class ApprovalRuleRow(Base):
    """A stored approval rule; see `approvals.ApprovalRule`."""

    __tablename__ = "approval_rules"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    level: Mapped[int]
    min_discount_bp: Mapped[int | None]
    below_margin_bp: Mapped[int | None]
    above_payment_days: Mapped[int | None]


class Quote(AggregateRoot, Base):
    """An offer. States: draft -> in_approval -> approved -> sent -> accepted | declined | expired, and superseded by
    its next revision. From `approved` on nothing in the document changes.

    `lines`: priced lines as in the message, with list price and discount. `approvals`: {level, state, by, at, note}.
    `recipients`: {contact_id, email, viewed_at}.
    """

    __tablename__ = "quotes"
    AGGREGATE = "quote"

    number: Mapped[str]
    revision: Mapped[int]
    state: Mapped[str]
    opportunity_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID]
    lead_id: Mapped[uuid.UUID | None]
    campaign_id: Mapped[uuid.UUID | None]
    is_primary: Mapped[bool]
    currency: Mapped[str] = mapped_column(CHAR(3))
    valid_until: Mapped[date]
    payment_days: Mapped[int]
    term_months: Mapped[int | None]
    header_discount_bp: Mapped[int]
    lines: Mapped[list[dict[str, Any]]]
    net_total: Mapped[Money] = money("net_total")
    tax_total: Mapped[Money] = money("tax_total")
    gross_total: Mapped[Money] = money("gross_total")
    discount_bp: Mapped[int]
    margin_bp: Mapped[int | None]
    submitted_by: Mapped[str | None]
    approvals: Mapped[list[dict[str, Any]]]
    recipients: Mapped[list[dict[str, Any]]]
    document_sha256: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    signer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    accepted_at: Mapped[datetime | None]
    decline_reason: Mapped[str | None]

    @classmethod
    def draft(cls, number: str, revision: int, values: Mapping[str, Any]) -> Self:
        """A new draft; `price` it before it is shown to anybody."""
        return cls(number=number, revision=revision, state="draft", approvals=[], recipients=[], **values)

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED.get(self.state, [])

    @property
    def document(self) -> dict[str, Any]:
        """What the customer sees and signs: its RFC 8785 form is hashed."""
        return {
            "number": self.number,
            "revision": self.revision,
            "account_id": str(self.account_id),
            "currency": self.currency,
            "valid_until": self.valid_until.isoformat(),
            "payment_days": self.payment_days,
            "term_months": self.term_months,
            "lines": [
                {key: line[key] for key in ("line_id", "sku", "name", "quantity", "unit", "unit_net", "net")}
                for line in self.lines
            ],
            "net_total": to_data(self.net_total),
            "tax_total": to_data(self.tax_total),
            "gross_total": to_data(self.gross_total),
        }

    def price(self, lines: Sequence[Mapping[str, Any]], totals: PricedTotals) -> None:
        """Take over priced lines. Raises IllegalState."""
        self._require("edit")
        self.lines = [
            {
                **to_data(dict(line)),
                "unit_net": {"amount": to_data(priced.unit_net), "currency": self.currency},
                "net": to_data(priced.net),
                "tax": to_data(priced.tax),
            }
            for line, priced in zip(lines, totals.lines, strict=True)
        ]
        self.net_total, self.tax_total, self.gross_total = totals.net, totals.tax, totals.gross
        self.discount_bp, self.margin_bp = totals.discount_bp, totals.margin_bp

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change the terms of a draft. Raises IllegalState."""
        self._require("edit")
        for name, value in changes.items():
            setattr(self, name, value)

    def submit(self, levels: Sequence[int], actor_id: str, now: datetime) -> None:
        """Ask for the approvals of `levels`; without any it is approved at once. Raises IllegalState, NoLines."""
        self._require("submit")
        if not self.lines:
            raise NoLines("Add at least one line before you submit the quote.")
        self.submitted_by = actor_id
        waiting = {"state": "waiting", "by": None, "at": None, "note": None}
        self.approvals = [{"level": level, **waiting} for level in levels]
        self.state = "in_approval"
        if not levels:
            self._approved(None, now)

    def approve(self, approver_id: uuid.UUID | None, actor_id: str, note: str | None, now: datetime) -> None:
        """Give the next approval. Raises IllegalState, OwnApproval."""
        self._require("approve")
        if actor_id == self.submitted_by:
            raise OwnApproval("Somebody else has to approve what you submitted.")
        self._settle_next("approved", actor_id, note, now)
        if all(approval["state"] == "approved" for approval in self.approvals):
            self._approved(approver_id, now)

    def reject(self, actor_id: str, note: str | None, now: datetime) -> None:
        """Send it back to its author. Raises IllegalState, OwnApproval."""
        self._require("reject")
        if actor_id == self.submitted_by:
            raise OwnApproval("Recall the quote instead of rejecting your own request.")
        self._settle_next("rejected", actor_id, note, now)
        self.state = "draft"

    def recall(self) -> None:
        """Take it back to draft. Raises IllegalState."""
        self._require("recall")
        self.state = "draft"
        self.document_sha256 = None

    def send(self, recipients: Sequence[Mapping[str, Any]], today: date, now: datetime) -> None:
        """Freeze the document and name who may accept it. Raises IllegalState, QuoteExpired."""
        self._require("send")
        self._require_valid(today)
        self.document_sha256 = hashlib.sha256(rfc8785.dumps(self.document)).hexdigest()
        self.recipients = [{**to_data(dict(recipient)), "viewed_at": None} for recipient in recipients]
        self.state, self.sent_at = "sent", now
        self.record(
            QuoteSent(
                **self._state(now),
                sent_at=now,
                recipients=[{k: r[k] for k in ("contact_id", "email")} for r in self.recipients],
                document_sha256=self.document_sha256,
            )
        )

    def view(self, recipient: int, now: datetime) -> None:
        """Note that a recipient has opened the link, the first time."""
        if self.recipients[recipient]["viewed_at"] is None:
            seen = {**self.recipients[recipient], "viewed_at": now.isoformat()}
            self.recipients = [seen if n == recipient else r for n, r in enumerate(self.recipients)]

    def accept(self, signer: Mapping[str, Any], document_sha256: str, today: date, now: datetime) -> bool:
        """The customer accepts; False when the same signer repeats it.

        Raises IllegalState, AlreadyAccepted, QuoteExpired, DocumentChanged.
        """
        if self.state == "accepted":
            if self.signer is not None and self.signer["email"] == signer["email"]:
                return False
            raise AlreadyAccepted("Somebody else has accepted this quote.")
        self._require("accept")
        self._require_valid(today)
        if document_sha256 != self.document_sha256:
            raise DocumentChanged("Read the quote again: what you saw is not what was sent.")
        self.state, self.accepted_at, self.signer = "accepted", now, to_data(dict(signer))
        told = {key: self.signer[key] for key in ("contact_id", "name", "email", "title")}
        self.record(
            QuoteAccepted(**self._state(now), accepted_at=now, signer=told, document_sha256=document_sha256)
        )
        return True

    def decline(self, reason: str | None, now: datetime) -> None:
        """The customer declines; a repeat changes nothing. Raises IllegalState."""
        if self.state == "declined":
            return
        self._require("decline")
        self.state, self.decline_reason = "declined", reason
        self.record(QuoteDeclined(**self._state(now), declined_at=now, reason=reason))

    def expire(self, today: date, now: datetime) -> None:
        """The last day is over; nothing happens where it is not, or no longer matters."""
        if self.state in ("approved", "sent") and today > self.valid_until:
            self.state = "expired"
            self.record(QuoteExpired(**self._state(now), expired_at=now))

    def supersede(self) -> None:
        """A new revision takes its place. Raises IllegalState."""
        self._require("revise")
        self.state, self.is_primary = "superseded", False

    def _settle_next(self, state: str, actor_id: str, note: str | None, now: datetime) -> None:
        settled = {"state": state, "by": actor_id, "at": now.isoformat(), "note": note}
        position = next(n for n, approval in enumerate(self.approvals) if approval["state"] == "waiting")
        self.approvals = [
            {**approval, **settled} if n == position else approval
            for n, approval in enumerate(self.approvals)
        ]

    def _approved(self, approver_id: uuid.UUID | None, now: datetime) -> None:
        self.state = "approved"
        self.record(QuoteApproved(**self._state(now), approved_by=approver_id, approved_at=now))

    def _require_valid(self, today: date) -> None:
        if today > self.valid_until:
            raise ExpiredQuote(f"The offer ended on {self.valid_until}. Revise it with a later date.")

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"A quote that is {self.state.replace('_', ' ')} does not allow: {verb}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _state(self, now: datetime) -> dict[str, Any]:
        return {
            "quote_id": self.id,
            "number": self.number,
            "revision": self.revision,
            "is_primary": self.is_primary,
            "opportunity_id": self.opportunity_id,
            "account_id": self.account_id,
            "owner_id": self.owner_id,
            "lead_id": self.lead_id,
            "campaign_id": self.campaign_id,
            "currency": self.currency,
            "valid_until": self.valid_until,
            "payment_days": self.payment_days,
            "term_months": self.term_months,
            "lines": [{key: line[key] for key in _TOLD} for line in self.lines],
            "net_total": self.net_total,
            "tax_total": self.tax_total,
            "gross_total": self.gross_total,
            "discount_bp": max(0, self.discount_bp),
            "margin_bp": self.margin_bp,
            "origin": "user",
            "effective_at": now,
        }
