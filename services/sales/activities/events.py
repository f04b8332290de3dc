"""Facts about activities."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event

__all__ = [
    "ActivityCancelled",
    "ActivityCompleted",
    "ActivityErased",
    "ActivityMissed",
    "ActivityPlanned",
    "ActivityState",
]


@dataclass(frozen=True)
class ActivityState(Event):
    """What every fact about an activity carries."""

    activity_id: uuid.UUID
    type: str
    subject: str
    status: str
    owner_id: uuid.UUID
    regarding: list[dict[str, Any]]
    account_id: uuid.UUID | None
    contact_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    lead_id: uuid.UUID | None
    participants: list[dict[str, Any]]
    start_at: datetime | None
    due_at: datetime | None
    step_key: str | None
    required: bool
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class ActivityPlanned(ActivityState):
    TYPE = "crm.sales.activity.planned.v1"


@dataclass(frozen=True)
class ActivityCompleted(ActivityState):
    TYPE = "crm.sales.activity.completed.v1"

    completed_at: datetime
    completed_by: uuid.UUID
    outcome: str | None
    next_step: str | None
    duration_seconds: int | None
    call: dict[str, Any] | None


@dataclass(frozen=True)
class ActivityMissed(ActivityState):
    TYPE = "crm.sales.activity.missed.v1"

    missed_at: datetime


@dataclass(frozen=True)
class ActivityCancelled(ActivityState):
    TYPE = "crm.sales.activity.cancelled.v1"

    cancelled_at: datetime
    reason: str | None


@dataclass(frozen=True)
class ActivityErased(ActivityState):
    TYPE = "crm.sales.activity.erased.v1"

    erased_at: datetime
