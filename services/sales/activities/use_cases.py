"""Plan, log, start, complete, cancel and replan activities. What an activity regards is looked up by
`processes/plan_activity.py`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.activities.errors import RequiredStep
from services.sales.activities.model import Activity
from services.sales.activities.repository import Activities
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = [
    "MISSED",
    "cancel_activity",
    "complete_activity",
    "log_activity",
    "miss_activity",
    "plan_activity",
    "replan_activity",
    "start_activity",
]

MISSED = "activity_missed"


def plan_activity(values: Mapping[str, Any], uow: UnitOfWork) -> Activity:
    """Plan something to do. Raises DueInPast."""
    with uow:
        activity = Activities(uow.session).add(Activity.plan(values, uow.clock.now()))
        _watch(activity, uow)
        return activity


def log_activity(values: Mapping[str, Any], done_by: uuid.UUID, uow: UnitOfWork) -> Activity:
    """Keep what took place."""
    with uow:
        return Activities(uow.session).add(Activity.log(values, done_by, uow.clock.now()))


def start_activity(
    activity_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Activity:
    """Begin. Raises NotFound, Stale, IllegalState."""
    with uow:
        activity = Activities(uow.session).get(activity_id, expected_version=expected_version, where=where)
        activity.start()
        _watch(activity, uow)
        return activity


def complete_activity(
    activity_id: uuid.UUID,
    result: Mapping[str, Any],
    done_by: uuid.UUID,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Activity:
    """It took place. Raises NotFound, Stale, IllegalState."""
    with uow:
        activity = Activities(uow.session).get(activity_id, expected_version=expected_version, where=where)
        activity.complete(result, done_by, uow.clock.now())
        _watch(activity, uow)
        return activity


def cancel_activity(
    activity_id: uuid.UUID,
    reason: str,
    uow: UnitOfWork,
    *,
    may_skip_required: bool,
    expected_version: int,
    where: ColumnElement[bool],
) -> Activity:
    """Call it off. Raises NotFound, Stale, IllegalState, RequiredStep."""
    with uow:
        activity = Activities(uow.session).get(activity_id, expected_version=expected_version, where=where)
        if activity.required and not may_skip_required:
            raise RequiredStep("To skip a required step you need the permission activity.skip_required.")
        activity.cancel(reason, uow.clock.now())
        _watch(activity, uow)
        return activity


def replan_activity(
    activity_id: uuid.UUID,
    due_at: datetime,
    start_at: datetime | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Activity:
    """Plan it for another time. Raises NotFound, Stale, IllegalState, DueInPast."""
    with uow:
        activity = Activities(uow.session).get(activity_id, expected_version=expected_version, where=where)
        activity.replan(due_at, start_at, uow.clock.now())
        _watch(activity, uow)
        return activity


def miss_activity(timer: Timer, uow: UnitOfWork) -> None:
    """A day after it was due: still planned means missed."""
    Activities(uow.session).get(timer.owner_id, lock=True).miss(uow.clock.now())


def _watch(activity: Activity, uow: UnitOfWork) -> None:
    """One timer while it is planned with a due time, none otherwise."""
    if activity.status == "planned" and activity.missed_at is not None:
        uow.timers.set("activity", activity.id, MISSED, activity.missed_at)
    else:
        uow.timers.cancel("activity", activity.id, MISSED)
