"""Facts about appointments."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event

__all__ = ["AppointmentMoved", "AppointmentScheduled", "AppointmentState"]


@dataclass(frozen=True)
class AppointmentState(Event):
    """What every fact about an appointment carries."""

    appointment_id: uuid.UUID
    work_order_id: uuid.UUID
    work_order_number: str
    visit_no: int
    state: str
    start_at: datetime
    end_at: datetime
    time_zone: str
    promised_window: dict[str, Any] | None
    told_window: dict[str, Any] | None
    assignees: list[dict[str, Any]]
    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    case_id: uuid.UUID | None
    order_id: uuid.UUID | None
    language: str | None
    technician_first_name: str | None
    template_key: str | None
    tracking_url: str | None


@dataclass(frozen=True)
class AppointmentScheduled(AppointmentState):
    TYPE = "crm.fieldservice.appointment.scheduled.v1"


@dataclass(frozen=True)
class AppointmentMoved(AppointmentState):
    TYPE = "crm.fieldservice.appointment.moved.v1"

    previous_start_at: datetime
    previous_end_at: datetime
    reason: str | None
