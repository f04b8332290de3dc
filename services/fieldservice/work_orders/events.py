"""Facts about work orders."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event

__all__ = [
    "WorkOrderCancelled",
    "WorkOrderCompleted",
    "WorkOrderCreated",
    "WorkOrderScheduled",
    "WorkOrderStarted",
    "WorkOrderState",
]


@dataclass(frozen=True)
class WorkOrderState(Event):
    """What every fact about a work order carries."""

    work_order_id: uuid.UUID
    number: str
    kind: str
    state: str
    priority: str
    source: dict[str, Any]
    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    asset_id: uuid.UUID | None
    order_id: uuid.UUID | None
    order_line_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    case_id: uuid.UUID | None
    product_id: uuid.UUID | None
    site: dict[str, Any]
    reported_at: datetime
    due_at: datetime | None
    earliest_at: datetime | None
    holds: list[str]


@dataclass(frozen=True)
class WorkOrderCreated(WorkOrderState):
    TYPE = "crm.fieldservice.work_order.created.v1"


@dataclass(frozen=True)
class WorkOrderScheduled(WorkOrderState):
    TYPE = "crm.fieldservice.work_order.scheduled.v1"

    appointment_id: uuid.UUID
    start_at: datetime
    end_at: datetime
    technician_ids: list[uuid.UUID]


@dataclass(frozen=True)
class WorkOrderStarted(WorkOrderState):
    TYPE = "crm.fieldservice.work_order.started.v1"

    started_at: datetime
    appointment_id: uuid.UUID
    technician_ids: list[uuid.UUID]


@dataclass(frozen=True)
class WorkOrderCompleted(WorkOrderState):
    TYPE = "crm.fieldservice.work_order.completed.v1"

    completed_at: datetime
    outcome: str
    first_time_fix: bool | None
    visits: int
    labour_minutes: int
    travel_minutes: int
    fitted: list[dict[str, Any]]
    parts: list[dict[str, Any]]


@dataclass(frozen=True)
class WorkOrderCancelled(WorkOrderState):
    TYPE = "crm.fieldservice.work_order.cancelled.v1"

    code: str
    text: str | None
    cancelled_at: datetime
