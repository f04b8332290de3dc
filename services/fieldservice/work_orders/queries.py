"""Read work orders."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.orm import Session

from services.fieldservice.work_orders.model import OPEN_STATES, WorkOrder
from services.fieldservice.work_orders.repository import WorkOrders
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of

__all__ = ["get_work_order", "list_work_orders", "visible_work_orders"]

_NEVER = literal(datetime(9999, 12, 31, tzinfo=UTC), WorkOrder.due_at.type)
_URGENCY = case({"emergency": 0, "high": 1, "normal": 2}, value=WorkOrder.priority, else_=3)
_ORDER_ID = case((WorkOrder.source_kind == "order_line", WorkOrder.source_id))

_WORK_ORDERS = Listing(
    select(
        WorkOrder.id,
        WorkOrder.version,
        WorkOrder.number,
        WorkOrder.kind,
        WorkOrder.state,
        WorkOrder.priority,
        WorkOrder.subject,
        WorkOrder.source_kind,
        WorkOrder.source_id,
        WorkOrder.source_line_id,
        _ORDER_ID.label("order_id"),
        WorkOrder.account_id,
        WorkOrder.contact_id,
        WorkOrder.owner_id,
        WorkOrder.due_at,
        WorkOrder.earliest_at,
        WorkOrder.holds,
        WorkOrder.needs_follow_up,
        WorkOrder.attention,
        WorkOrder.created_at,
        WorkOrder.updated_at,
    ),
    key=WorkOrder.id,
    filters={
        "state": equals(WorkOrder.state),
        "open": lambda wanted: WorkOrder.state.in_(OPEN_STATES) == wanted,
        "kind": equals(WorkOrder.kind),
        "priority": equals(WorkOrder.priority),
        "account_id": equals(WorkOrder.account_id),
        "asset_id": equals(WorkOrder.asset_id),
        "order_id": equals(_ORDER_ID),
        "number": equals(WorkOrder.number),
        "due_at_gte": at_least(WorkOrder.due_at),
        "due_at_lte": at_most(WorkOrder.due_at),
        "on_hold": lambda wanted: (func.jsonb_array_length(WorkOrder.holds) > 0) == wanted,
        "needs_follow_up": equals(WorkOrder.needs_follow_up),
        "needs_attention": lambda wanted: (func.jsonb_array_length(WorkOrder.attention) > 0) == wanted,
        "ids": one_of(WorkOrder.id),
    },
    sorts={
        "created_at": WorkOrder.created_at,
        "number": WorkOrder.number,
        # What has no due time comes last.
        "due_at": func.coalesce(WorkOrder.due_at, _NEVER),
        "priority": _URGENCY,
    },
)


def visible_work_orders(principal: Principal, permission: str = "work_order.read") -> ColumnElement[bool]:
    """The work orders that `principal` may use with `permission`: technicians see those they work on."""
    return reach_filter(
        principal,
        permission,
        owner=WorkOrder.owner_id,
        collaborators=WorkOrder.crew_ids,
        account=WorkOrder.account_id,
        contact=WorkOrder.contact_id,
    )


def list_work_orders(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of work orders."""
    return _WORK_ORDERS.page(session, arguments, visible_work_orders(principal))


def get_work_order(session: Session, principal: Principal, work_order_id: uuid.UUID) -> WorkOrder:
    """One work order in full. Raises NotFound, also for what the caller may not see."""
    return WorkOrders(session).get(work_order_id, where=visible_work_orders(principal))
