"""Appointments over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.fieldservice.appointments import queries
from services.fieldservice.appointments.schemas import (
    AppointmentFilters,
    AppointmentOut,
    AppointmentRow,
    MoveAppointment,
    Report,
    ReportReason,
    ReportStop,
    ScheduleAppointment,
)
from services.fieldservice.processes import visits
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.fieldservice.appointments.model import Appointment

__all__ = ["blueprint"]

OVERRIDE = "appointment.override"

blueprint = Blueprint("appointments", __name__, url_prefix="/v1/appointments", description="Who comes when")


def _report(verb: str, appointment_id: uuid.UUID, command: dict[str, Any], version: int) -> Appointment:
    permission = "appointment.cancel" if verb == "cancel" else "appointment.work"
    return visits.report(
        appointment_id,
        verb,
        command,
        unit_of_work(),
        expected_version=version,
        where=queries.visible_appointments(principal(), permission),
    )


@blueprint.get("", permission="appointment.read")
@blueprint.arguments(AppointmentFilters, location="query")
@blueprint.page(AppointmentRow)
def list_appointments(filters: dict[str, Any]) -> Page:
    """List appointments."""
    return queries.list_appointments(session(), principal(), filters)


@blueprint.post("", permission="appointment.schedule")
@blueprint.arguments(ScheduleAppointment)
@blueprint.response(201, AppointmentOut)
def schedule_appointment(command: dict[str, Any]) -> Appointment:
    """Plan a visit."""
    return visits.schedule_visit(command, unit_of_work(), may_override=principal().may(OVERRIDE))


@blueprint.get("/<uuid:appointment_id>", permission="appointment.read")
@blueprint.response(200, AppointmentOut)
def get_appointment(appointment_id: uuid.UUID) -> Appointment:
    """Read an appointment with the history of its states."""
    return queries.get_appointment(session(), principal(), appointment_id)


@blueprint.post("/<uuid:appointment_id>/move", permission="appointment.schedule", if_match=True)
@blueprint.arguments(MoveAppointment)
@blueprint.response(200, AppointmentOut)
def move_appointment(
    command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int
) -> Appointment:
    """Plan a visit for another time or other people."""
    return visits.move_visit(
        appointment_id,
        command,
        unit_of_work(),
        may_override=principal().may(OVERRIDE),
        expected_version=expected_version,
    )


@blueprint.post("/<uuid:appointment_id>/depart", permission="appointment.work", if_match=True)
@blueprint.arguments(Report)
@blueprint.response(200, AppointmentOut)
def depart(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """They are on their way."""
    return _report("depart", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/arrive", permission="appointment.work", if_match=True)
@blueprint.arguments(Report)
@blueprint.response(200, AppointmentOut)
def arrive(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """They are there and begin."""
    return _report("arrive", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/pause", permission="appointment.work", if_match=True)
@blueprint.arguments(Report)
@blueprint.response(200, AppointmentOut)
def pause(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """They take a break."""
    return _report("pause", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/resume", permission="appointment.work", if_match=True)
@blueprint.arguments(Report)
@blueprint.response(200, AppointmentOut)
def resume(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """The break is over."""
    return _report("resume", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/complete", permission="appointment.work", if_match=True)
@blueprint.arguments(Report)
@blueprint.response(200, AppointmentOut)
def complete(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """The visit has done what it was for."""
    return _report("complete", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/stop-short", permission="appointment.work", if_match=True)
@blueprint.arguments(ReportStop)
@blueprint.response(200, AppointmentOut)
def stop_short(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """They leave with work undone; somebody has to come again."""
    return _report("stop_short", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/no-access", permission="appointment.work", if_match=True)
@blueprint.arguments(ReportReason)
@blueprint.response(200, AppointmentOut)
def no_access(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """Nobody let them in."""
    return _report("no_access", appointment_id, command, expected_version)


@blueprint.post("/<uuid:appointment_id>/cancel", permission="appointment.cancel", if_match=True)
@blueprint.arguments(ReportReason)
@blueprint.response(200, AppointmentOut)
def cancel(command: dict[str, Any], appointment_id: uuid.UUID, expected_version: int) -> Appointment:
    """Call a visit off; its work order stays."""
    return _report("cancel", appointment_id, command, expected_version)
