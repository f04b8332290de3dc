"""Read appointments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from services.fieldservice.appointments.model import Appointment, Assignee
from services.fieldservice.appointments.repository import Appointments
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of

__all__ = ["get_appointment", "list_appointments", "visible_appointments"]

# The crew as JSON in the same statement: a row is a row, however many people come.
_CREW = (
    select(
        func.jsonb_agg(
            func.jsonb_build_object(
                "technician_id", Assignee.technician_id, "user_id", Assignee.user_id, "role", Assignee.role
            )
        )
    )
    .where(Assignee.appointment_id == Appointment.id)
    .correlate(Appointment)
    .scalar_subquery()
)

_APPOINTMENTS = Listing(
    select(
        Appointment.id,
        Appointment.version,
        Appointment.work_order_id,
        Appointment.work_order_number,
        Appointment.account_id,
        Appointment.visit_no,
        Appointment.state,
        Appointment.start_at,
        Appointment.end_at,
        Appointment.time_zone,
        _CREW.label("assignees"),
        Appointment.outcome,
        Appointment.created_at,
        Appointment.updated_at,
    ),
    key=Appointment.id,
    filters={
        "state": equals(Appointment.state),
        "work_order_id": equals(Appointment.work_order_id),
        "account_id": equals(Appointment.account_id),
        "technician_id": lambda wanted: exists().where(
            Assignee.appointment_id == Appointment.id, Assignee.technician_id == wanted
        ),
        "start_at_gte": at_least(Appointment.start_at),
        "start_at_lte": at_most(Appointment.start_at),
        "ids": one_of(Appointment.id),
    },
    sorts={"start_at": Appointment.start_at, "created_at": Appointment.created_at},
)


def visible_appointments(principal: Principal, permission: str = "appointment.read") -> ColumnElement[bool]:
    """The appointments that `principal` may use with `permission`: technicians see their own."""
    return reach_filter(
        principal,
        permission,
        owner=Appointment.owner_id,
        collaborators=Appointment.crew_ids,
        account=Appointment.account_id,
        contact=Appointment.contact_id,
    )


def list_appointments(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of appointments."""
    return _APPOINTMENTS.page(session, arguments, visible_appointments(principal))


def get_appointment(session: Session, principal: Principal, appointment_id: uuid.UUID) -> Appointment:
    """One appointment in full. Raises NotFound, also for what the caller may not see."""
    return Appointments(session).get(appointment_id, where=visible_appointments(principal))
