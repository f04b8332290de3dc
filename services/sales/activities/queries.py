"""Read activities."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.sales.activities.model import Activity
from services.sales.activities.repository import Activities
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of

__all__ = ["get_activity", "list_activities", "visible_activities"]

_ACTIVITIES = Listing(
    select(
        Activity.id,
        Activity.version,
        Activity.type,
        Activity.subject,
        Activity.status,
        Activity.owner_id,
        Activity.regarding,
        Activity.account_id,
        Activity.contact_id,
        Activity.opportunity_id,
        Activity.lead_id,
        Activity.start_at,
        Activity.due_at,
        Activity.completed_at,
        Activity.created_at,
        Activity.updated_at,
    ),
    key=Activity.id,
    filters={
        "type": equals(Activity.type),
        "status": equals(Activity.status),
        "owner_id": equals(Activity.owner_id),
        "account_id": equals(Activity.account_id),
        "contact_id": equals(Activity.contact_id),
        "opportunity_id": equals(Activity.opportunity_id),
        "lead_id": equals(Activity.lead_id),
        "due_at_gte": at_least(Activity.due_at),
        "due_at_lte": at_most(Activity.due_at),
        "ids": one_of(Activity.id),
    },
    sorts={"created_at": Activity.created_at},
)


def visible_activities(principal: Principal, permission: str = "activity.read") -> ColumnElement[bool]:
    """The activities that `principal` may use with `permission`."""
    return reach_filter(
        principal,
        permission,
        owner=Activity.owner_id,
        account=Activity.account_id,
        contact=Activity.contact_id,
    )


def list_activities(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of activities."""
    return _ACTIVITIES.page(session, arguments, visible_activities(principal))


def get_activity(session: Session, principal: Principal, activity_id: uuid.UUID) -> Activity:
    """One activity in full. Raises NotFound, also for what the caller may not see."""
    return Activities(session).get(activity_id, where=visible_activities(principal))
