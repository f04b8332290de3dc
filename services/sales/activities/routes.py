"""Activities over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.activities import queries, use_cases
from services.sales.activities.schemas import (
    ActivityFilters,
    ActivityOut,
    ActivityRow,
    CancelActivity,
    CompleteActivity,
    LogActivity,
    PlanActivity,
    ReplanActivity,
)
from services.sales.processes import plan_activity as process
from shared.db.listing import Page
from shared.kernel.errors import NotPermitted
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.activities.model import Activity

__all__ = ["blueprint"]

blueprint = Blueprint(
    "activities",
    __name__,
    url_prefix="/v1/activities",
    description="Calls, meetings, tasks: planned and done",
)


def _me() -> uuid.UUID:
    user_id = principal().user_id
    if user_id is None:
        raise NotPermitted("A person has to do this: machine clients do not deal with customers.")
    return user_id


@blueprint.get("", permission="activity.read")
@blueprint.arguments(ActivityFilters, location="query")
@blueprint.page(ActivityRow)
def list_activities(filters: dict[str, Any]) -> Page:
    """List activities."""
    return queries.list_activities(session(), principal(), filters)


@blueprint.post("", permission="activity.create")
@blueprint.arguments(PlanActivity)
@blueprint.response(201, ActivityOut)
def plan_activity(values: dict[str, Any]) -> Activity:
    """Plan something to do."""
    values.setdefault("owner_id", _me())
    return process.plan_activity(values, principal(), unit_of_work())


@blueprint.post("/log", permission="activity.create")
@blueprint.arguments(LogActivity)
@blueprint.response(201, ActivityOut)
def log_activity(values: dict[str, Any]) -> Activity:
    """Keep something that took place."""
    values.setdefault("owner_id", _me())
    return process.log_activity(values, principal(), _me(), unit_of_work())


@blueprint.get("/<uuid:activity_id>", permission="activity.read")
@blueprint.response(200, ActivityOut)
def get_activity(activity_id: uuid.UUID) -> Activity:
    """Read an activity."""
    return queries.get_activity(session(), principal(), activity_id)


@blueprint.post("/<uuid:activity_id>/start", permission="activity.edit", if_match=True)
@blueprint.response(200, ActivityOut)
def start_activity(activity_id: uuid.UUID, expected_version: int) -> Activity:
    """Begin."""
    visible = queries.visible_activities(principal(), "activity.edit")
    return use_cases.start_activity(
        activity_id, unit_of_work(), expected_version=expected_version, where=visible
    )


@blueprint.post("/<uuid:activity_id>/complete", permission="activity.edit", if_match=True)
@blueprint.arguments(CompleteActivity)
@blueprint.response(200, ActivityOut)
def complete_activity(result: dict[str, Any], activity_id: uuid.UUID, expected_version: int) -> Activity:
    """It took place."""
    visible = queries.visible_activities(principal(), "activity.edit")
    return use_cases.complete_activity(
        activity_id, result, _me(), unit_of_work(), expected_version=expected_version, where=visible
    )


@blueprint.post("/<uuid:activity_id>/cancel", permission="activity.cancel", if_match=True)
@blueprint.arguments(CancelActivity)
@blueprint.response(200, ActivityOut)
def cancel_activity(command: dict[str, Any], activity_id: uuid.UUID, expected_version: int) -> Activity:
    """Call it off."""
    return use_cases.cancel_activity(
        activity_id,
        command["reason"],
        unit_of_work(),
        may_skip_required=principal().may("activity.skip_required"),
        expected_version=expected_version,
        where=queries.visible_activities(principal(), "activity.cancel"),
    )


@blueprint.post("/<uuid:activity_id>/replan", permission="activity.edit", if_match=True)
@blueprint.arguments(ReplanActivity)
@blueprint.response(200, ActivityOut)
def replan_activity(command: dict[str, Any], activity_id: uuid.UUID, expected_version: int) -> Activity:
    """Plan it for another time."""
    visible = queries.visible_activities(principal(), "activity.edit")
    return use_cases.replan_activity(
        activity_id,
        command["due_at"],
        command["start_at"],
        unit_of_work(),
        expected_version=expected_version,
        where=visible,
    )
