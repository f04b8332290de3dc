"""The case aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.support.cases.errors import ClosedForReopen
from services.support.cases.events import CaseAssigned, CaseClosed, CaseErased, CaseOpened, CaseResolved
from services.support.database import Base
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["CASE_KINDS", "CHANNELS", "LEVELS", "REOPEN_WITHIN", "SILENT_AFTER", "Case", "priority_of"]

CASE_KINDS = ("question", "incident", "problem", "service_request", "complaint", "return", "enquiry")
CHANNELS = ("email", "web_form", "web_chat", "sms", "voice", "portal", "internal")
LEVELS = ("high", "medium", "low")
REOPEN_WITHIN = timedelta(days=14)
"""How long after resolving a case may be opened again."""
SILENT_AFTER = timedelta(days=7)
"""A resolved case nobody objects to is closed after this."""

_ALLOWED = {
    "new": ["assign", "wait", "resolve", "cancel"],
    "open": ["assign", "wait", "resolve", "cancel"],
    "waiting": ["assign", "resume", "resolve", "cancel"],
    "resolved": ["close", "reopen"],
    "closed": ["reopen"],
}


def priority_of(impact: str, urgency: str) -> str:
    """p1 (both high) to p4 (both low), by the sum of both as in ITIL's matrix; one step below high is p2."""
    return ("p1", "p2", "p3", "p4", "p4")[LEVELS.index(impact) + LEVELS.index(urgency)]


class Case(AggregateRoot, Base):
    """States: new -> open <-> waiting -> resolved -> closed; resolved and closed may be reopened for 14 days.

    `cover` is the decision of the moment the case was opened and never changes. `log`: {state, at, by, note}.
    """

    __tablename__ = "cases"
    AGGREGATE = "case"

    number: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    description: Mapped[str | None]
    channel: Mapped[str]
    state: Mapped[str]
    waits_for: Mapped[str | None]
    wake_at: Mapped[datetime | None]
    priority: Mapped[str]
    impact: Mapped[str]
    urgency: Mapped[str]
    account_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    asset_id: Mapped[uuid.UUID | None]
    product_id: Mapped[uuid.UUID | None]
    contract_id: Mapped[uuid.UUID | None]
    order_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    cover: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    owner_id: Mapped[uuid.UUID | None]
    opened_at: Mapped[datetime]
    responded_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    answer: Mapped[str | None]
    log: Mapped[list[dict[str, Any]]]

    @classmethod
    def open(cls, values: Mapping[str, Any], actor_id: str, now: datetime) -> Self:
        """A new case; its priority follows from impact and urgency."""
        case = cls(
            **values,
            state="new",
            priority=priority_of(values["impact"], values["urgency"]),
            opened_at=now,
            log=[],
        )
        case._note("new", actor_id, None, now)
        case.record(CaseOpened(**case._state()))
        return case

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED[self.state]

    def assign(self, owner_id: uuid.UUID, actor_id: str, now: datetime) -> None:
        """Give it to somebody. Raises IllegalState."""
        self._require("assign")
        if owner_id == self.owner_id:
            return
        previous, self.owner_id = self.owner_id, owner_id
        self._note(self.state, actor_id, f"assigned to {owner_id}", now)
        self.record(
            CaseAssigned(
                **self._state(),
                mode="cold",
                previous_owner_id=previous,
                previous_queue_id=None,
                assigned_at=now,
            )
        )

    def respond(self, actor_id: str, now: datetime) -> None:
        """Somebody works on it: a new case is open from its first answer on."""
        if self.responded_at is None:
            self.responded_at = now
        if self.state == "new":
            self._enter("open", actor_id, None, now)

    def wait(self, waits_for: str, wake_at: datetime | None, actor_id: str, now: datetime) -> None:
        """Wait for the customer, a third party, ourselves or an appointment. Raises IllegalState."""
        self._require("wait")
        self.respond(actor_id, now)
        self.waits_for, self.wake_at = waits_for, wake_at
        self._enter("waiting", actor_id, waits_for, now)

    def resume(self, actor_id: str, now: datetime) -> None:
        """Work goes on. Raises IllegalState."""
        self._require("resume")
        self.waits_for = self.wake_at = None
        self._enter("open", actor_id, None, now)

    def resolve(self, outcome: str, answer: str, actor_id: str, now: datetime) -> None:
        """The trouble is gone, as the customer is told in `answer`. Raises IllegalState."""
        self._require("resolve")
        self.respond(actor_id, now)
        assert self.responded_at is not None
        self.outcome, self.answer, self.resolved_at = outcome, answer, now
        self.waits_for = self.wake_at = None
        self._enter("resolved", actor_id, outcome, now)
        self.record(
            CaseResolved(
                **self._state(),
                outcome=outcome,
                resolved_at=now,
                first_response_seconds=int((self.responded_at - self.opened_at).total_seconds()),
                resolution_seconds=int((now - self.opened_at).total_seconds()),
            )
        )

    def close(self, reason: str, actor_id: str, now: datetime) -> None:
        """The customer agrees, or has been silent. Raises IllegalState."""
        self._require("close")
        self._close(reason, actor_id, now)

    def cancel(self, outcome: str, actor_id: str, now: datetime) -> None:
        """It was no case: spam, withdrawn. Raises IllegalState."""
        self._require("cancel")
        self.outcome = outcome
        self._close("cancelled", actor_id, now)

    def reopen(self, actor_id: str, note: str | None, now: datetime) -> None:
        """The trouble is back. Raises IllegalState, ClosedForReopen."""
        self._require("reopen")
        if self.resolved_at is None or now - self.resolved_at > REOPEN_WITHIN:
            raise ClosedForReopen(f"Open a new case: {self.number} was settled more than 14 days ago.")
        self.resolved_at = self.outcome = self.answer = None
        self._enter("open", actor_id, note, now)

    def erase(self, now: datetime) -> None:
        """Blank what a person who is to be forgotten wrote and was told; states, times and cover stay."""
        self.subject, self.description, self.answer = "Erased", None, None
        self.log = [{**entry, "note": None} for entry in self.log]
        self.record(CaseErased(**self._state(), erased_at=now))

    def _close(self, reason: str, actor_id: str, now: datetime) -> None:
        self._enter("closed", actor_id, reason, now)
        self.record(CaseClosed(**self._state(), outcome=self.outcome or reason, reason=reason, closed_at=now))

    def _enter(self, state: str, actor_id: str, note: str | None, now: datetime) -> None:
        self.state = state
        self._note(state, actor_id, note, now)

    def _note(self, state: str, actor_id: str, note: str | None, now: datetime) -> None:
        self.log = [*self.log, {"state": state, "at": now.isoformat(), "by": actor_id, "note": note}]

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"A case that is {self.state} does not allow: {verb}.", state=self.state, allowed=self.allowed
            )

    def _state(self) -> dict[str, Any]:
        named = (
            "number kind subject channel state priority impact urgency account_id contact_id asset_id product_id"
            " contract_id order_id opportunity_id owner_id opened_at"
        ).split()
        missing = {"contract_line_id": None, "campaign_id": None, "queue_id": None}
        return {"case_id": self.id, **missing, **{name: getattr(self, name) for name in named}}
