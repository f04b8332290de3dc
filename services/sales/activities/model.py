"""The activity aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.sales.activities.errors import DueInPast, NotACall
from services.sales.activities.events import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityErased,
    ActivityMissed,
    ActivityPlanned,
)
from services.sales.database import Base
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState
from shared.kernel.events import to_data

__all__ = ["ACTIVITY_TYPES", "MISSED_AFTER", "Activity"]

ACTIVITY_TYPES = ("call", "email", "meeting", "task", "visit", "note", "sms")
MISSED_AFTER = timedelta(hours=24)
"""How long after its due time a planned activity counts as missed."""

_ALLOWED = {
    "planned": ["start", "complete", "cancel", "replan"],
    "in_progress": ["complete", "cancel"],
    "missed": ["complete", "replan"],
}


class Activity(AggregateRoot, Base):
    """States: planned -> in_progress -> completed, cancelled; planned -> missed -> completed or planned again.

    `regarding`: {type, id}, in the order given; `account_id`, `contact_id`, `opportunity_id` and `lead_id` are what
    follows from it. `participants`: {type user|contact, id}. `call`, only of calls: {direction, call_ref,
    disposition}.
    """

    __tablename__ = "activities"
    AGGREGATE = "activity"

    type: Mapped[str]
    subject: Mapped[str]
    status: Mapped[str]
    owner_id: Mapped[uuid.UUID]
    regarding: Mapped[list[dict[str, Any]]]
    account_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    lead_id: Mapped[uuid.UUID | None]
    participants: Mapped[list[dict[str, Any]]]
    start_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    step_key: Mapped[str | None]
    required: Mapped[bool]
    outcome: Mapped[str | None]
    next_step: Mapped[str | None]
    duration_seconds: Mapped[int | None]
    call: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    completed_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None]

    @classmethod
    def plan(cls, values: Mapping[str, Any], now: datetime) -> Self:
        """Something to do, by `values["due_at"]` where that is given. Raises DueInPast."""
        activity = cls._made(values, "planned")
        activity._require_ahead(now)
        activity.record(ActivityPlanned(**activity._state(now)))
        return activity

    @classmethod
    def log(cls, values: Mapping[str, Any], done_by: uuid.UUID, now: datetime) -> Self:
        """Something that took place, at `values["completed_at"]` or just now. Raises NotACall."""
        given = dict(values)
        completed_at = given.pop("completed_at", None) or now
        activity = cls._made(given, "completed")
        activity._complete(completed_at, done_by)
        return activity

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED.get(self.status, [])

    @property
    def missed_at(self) -> datetime | None:
        """When it counts as missed, if it is still planned then; None without a due time."""
        return None if self.due_at is None else self.due_at + MISSED_AFTER

    def start(self) -> None:
        """Begin. Raises IllegalState."""
        self._require("start")
        self.status = "in_progress"

    def complete(self, result: Mapping[str, Any], done_by: uuid.UUID, now: datetime) -> None:
        """It took place. `result`: outcome, next_step, duration_seconds, call. Raises IllegalState, NotACall."""
        self._require("complete")
        for name, value in result.items():
            setattr(self, name, value)
        self.status = "completed"
        self._complete(now, done_by)

    def cancel(self, reason: str, now: datetime) -> None:
        """Call it off. Raises IllegalState."""
        self._require("cancel")
        self.status, self.cancel_reason = "cancelled", reason
        self.record(ActivityCancelled(**self._state(now), cancelled_at=now, reason=reason))

    def replan(self, due_at: datetime, start_at: datetime | None, now: datetime) -> None:
        """Plan it for another time, also when that was missed. Raises IllegalState, DueInPast."""
        self._require("replan")
        self.status, self.due_at, self.start_at = "planned", due_at, start_at
        self._require_ahead(now)
        self.record(ActivityPlanned(**self._state(now)))

    def miss(self, now: datetime) -> None:
        """Nobody did it in time; nothing happens where that is no longer true."""
        if self.status == "planned" and self.missed_at is not None and self.missed_at <= now:
            self.status = "missed"
            self.record(ActivityMissed(**self._state(now), missed_at=now))

    def erase(self, now: datetime) -> None:
        """Blank what was written about a person who is to be forgotten; that and when it took place stays."""
        self.subject = "Erased"
        self.outcome = self.next_step = self.cancel_reason = None
        if self.call is not None:
            self.call = {**self.call, "call_ref": None, "disposition": None}
        self.record(ActivityErased(**self._state(now), erased_at=now))

    @classmethod
    def _made(cls, values: Mapping[str, Any], status: str) -> Self:
        given = dict(values)
        lists = {name: to_data(given.pop(name, None) or []) for name in ("regarding", "participants")}
        return cls(status=status, **{"required": False, **given, **lists})

    def _complete(self, completed_at: datetime, done_by: uuid.UUID) -> None:
        if self.call is not None and self.type != "call":
            raise NotACall.field("/call", f"A {self.type} has no direction and no call reference.")
        self.completed_at = completed_at
        self.record(
            ActivityCompleted(
                **self._state(completed_at),
                completed_at=completed_at,
                completed_by=done_by,
                outcome=self.outcome,
                next_step=self.next_step,
                duration_seconds=self.duration_seconds,
                call=self.call,
            )
        )

    def _require_ahead(self, now: datetime) -> None:
        if self.due_at is not None and self.due_at <= now:
            raise DueInPast.field("/due_at", "Log what is done, or plan it for a time to come.")

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            state = self.status.replace("_", " ")
            raise IllegalState(
                f"An activity that is {state} does not allow: {verb}.",
                state=self.status,
                allowed=self.allowed,
            )

    def _state(self, effective_at: datetime) -> dict[str, Any]:
        return {
            "activity_id": self.id,
            "type": self.type,
            "subject": self.subject,
            "status": self.status,
            "owner_id": self.owner_id,
            "regarding": self.regarding,
            "account_id": self.account_id,
            "contact_id": self.contact_id,
            "opportunity_id": self.opportunity_id,
            "lead_id": self.lead_id,
            "participants": self.participants,
            "start_at": self.start_at,
            "due_at": self.due_at,
            "step_key": self.step_key,
            "required": self.required,
            "origin": "user",
            "effective_at": effective_at,
        }
