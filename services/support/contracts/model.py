"""The contract aggregate, its entitlements, and the facts about orders that came before the win."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import Numeric
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.support.contracts.errors import EntitlementExhausted, NoTerm
from services.support.contracts.events import (
    ContractActivated,
    ContractCancelled,
    ContractDrafted,
    ContractExpired,
    EntitlementConsumed,
)
from services.support.database import Base
from services.support.warranty import add_months
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["DEFAULT_TERM_MONTHS", "Contract", "Entitlement", "LedgerEntry", "PendingOrderFact"]

DEFAULT_TERM_MONTHS = 12

_ALLOWED = {
    "draft": ["edit", "activate", "cancel"],
    "active": ["suspend", "cancel"],
    "suspended": ["resume", "cancel"],
}


class Contract(AggregateRoot, Base):
    """States: draft -> active <-> suspended; -> cancelled | expired. Both days of the term count.

    `lines`: {contract_line_id, product_id, order_line_id, covered_asset_id, covered_product_id, quantity, period_price,
    struck}. A struck line was not confirmed by the ERP. `attention`: {code, since, detail}.
    """

    __tablename__ = "contracts"
    AGGREGATE = "contract"

    number: Mapped[str]
    state: Mapped[str]
    account_id: Mapped[uuid.UUID]
    contact_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    order_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    term_months: Mapped[int]
    time_zone: Mapped[str]
    auto_renew: Mapped[bool] = mapped_column(default=False)
    notice_days: Mapped[int] = mapped_column(default=30)
    lines: Mapped[list[dict[str, Any]]]
    cancel_reason: Mapped[str | None]
    attention: Mapped[list[dict[str, Any]]]

    @classmethod
    def draft(cls, values: Mapping[str, Any]) -> Self:
        """A new draft."""
        contract = cls(state="draft", auto_renew=False, notice_days=30, attention=[], **values)
        contract.record(ContractDrafted(**contract._state()))
        return contract

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED.get(self.state, [])

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change a draft. Raises IllegalState."""
        self._require("edit")
        for name, value in changes.items():
            setattr(self, name, value)

    def activate(self, starts_on: date, now: datetime, *, confirmed: Collection[str] | None = None) -> None:
        """Put it in force from `starts_on` for its term. `confirmed`: ids of the order lines that the ERP took; the
        other lines are struck. Raises IllegalState, NoTerm."""
        self._require("activate")
        if confirmed is not None:
            self.lines = [
                {
                    **line,
                    "struck": line["order_line_id"] is not None and line["order_line_id"] not in confirmed,
                }
                for line in self.lines
            ]
        if all(line["struck"] for line in self.lines):
            raise NoTerm("Every line of the contract is struck: there is nothing to put in force.")
        self.starts_on = starts_on
        self.ends_on = add_months(starts_on, self.term_months) - timedelta(days=1)
        self.state = "active"
        self.record(ContractActivated(**self._state(), activated_at=now))

    def suspend(self) -> None:
        """Cover stops for now. Raises IllegalState."""
        self._require("suspend")
        self.state = "suspended"

    def resume(self) -> None:
        """Cover goes on. Raises IllegalState."""
        self._require("resume")
        self.state = "active"

    def cancel(self, code: str, text: str | None, now: datetime) -> None:
        """End it for good; what was used stays used. Raises IllegalState."""
        self._require("cancel")
        self.state, self.cancel_reason = "cancelled", text or code
        self.record(ContractCancelled(**self._state(), code=code, text=text, cancelled_at=now))

    def expire(self, now: datetime) -> None:
        """The last day is over; nothing happens where it no longer matters."""
        if self.state in ("active", "suspended"):
            self.state = "expired"
            self.record(ContractExpired(**self._state(), expired_at=now))

    def flag(self, code: str, detail: str, since: datetime) -> None:
        """Ask people to look; a code that is there already stays as it is."""
        if all(item["code"] != code for item in self.attention):
            self.attention = [*self.attention, {"code": code, "since": since.isoformat(), "detail": detail}]

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"A contract that is {self.state} cannot {verb}.", state=self.state, allowed=self.allowed
            )

    def _state(self) -> dict[str, Any]:
        return {
            "contract_id": self.id,
            "number": self.number,
            "state": self.state,
            "account_id": self.account_id,
            "contact_id": self.contact_id,
            "opportunity_id": self.opportunity_id,
            "order_id": self.order_id,
            "owner_id": self.owner_id,
            "starts_on": self.starts_on,
            "ends_on": self.ends_on,
            "time_zone": self.time_zone,
            "auto_renew": self.auto_renew,
            "notice_days": self.notice_days,
            "lines": self.lines,
        }


class Entitlement(AggregateRoot, Base):
    """What may be used under a contract: so many incidents or hours, or unlimited (`balance` None)."""

    __tablename__ = "entitlements"
    AGGREGATE = "entitlement"

    contract_id: Mapped[uuid.UUID]
    account_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    balance: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))

    def consume(self, quantity: Decimal, now: datetime, *, case_id: uuid.UUID | None = None) -> None:
        """Use some of it. Raises EntitlementExhausted."""
        if self.balance is not None:
            if self.balance < quantity:
                raise EntitlementExhausted(
                    f"{self.balance} {self.kind} are left. Top the contract up, or go on without cover.",
                    balance=str(self.balance),
                )
            self.balance = self.balance - quantity
        self.record(
            EntitlementConsumed(
                entitlement_id=self.id,
                contract_id=self.contract_id,
                account_id=self.account_id,
                kind=self.kind,
                quantity=quantity,
                balance=self.balance,
                case_id=case_id,
                work_order_id=None,
                consumed_at=now,
            )
        )

    def grant(self, quantity: Decimal | None) -> None:
        """Add to it; None makes it unlimited, and an unlimited one stays so."""
        if self.balance is not None:
            self.balance = None if quantity is None else self.balance + quantity


class LedgerEntry(Base):
    """One movement of an entitlement, never changed. `(source, source_id)` makes a repeat visible."""

    __tablename__ = "entitlement_ledger"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    entitlement_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    source: Mapped[str]
    source_id: Mapped[str]
    at: Mapped[datetime]


class PendingOrderFact(Base):
    """What the ERP said about an order before the win that made it was heard: applied when the contract is drafted."""

    __tablename__ = "pending_order_facts"

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
