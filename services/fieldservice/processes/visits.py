"""Visits: appointments planned and carried out, and what that makes of their work order.

Every change locks the work order first: whoever changes two appointments of one order waits for the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.fieldservice.appointments.errors import NotSchedulable
from services.fieldservice.appointments.model import Appointment, Assignee, Window
from services.fieldservice.appointments.repository import Appointments
from services.fieldservice.appointments.use_cases import occupying, reporter
from services.fieldservice.skill_match import Member, unmet_needs
from services.fieldservice.technicians.repository import Technicians
from services.fieldservice.work_orders.model import Trigger, WorkDone, WorkOrder
from services.fieldservice.work_orders.repository import WorkOrders
from shared.kernel.errors import Invalid, NotPermitted

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from services.fieldservice.technicians.model import Technician
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["move_visit", "report", "schedule_visit", "visits_of", "work_done"]


def visits_of(session: Session, work_order_id: uuid.UUID) -> Sequence[Appointment]:
    """The appointments of a work order, in the order in which they are planned."""
    return Appointments(session).of_work_order(work_order_id)


def schedule_visit(command: Mapping[str, Any], uow: UnitOfWork, *, may_override: bool) -> Appointment:
    """Plan a visit. `command`: work_order_id, start_at, end_at, assignees, perhaps visit_no, promised_window and
    override_reason.

    Raises NotFound, IllegalState, Invalid, NotSchedulable, NotPermitted, TechnicianBusy.
    """
    with uow:
        order = WorkOrders(uow.session).get(command["work_order_id"], lock=True)
        order.require("schedule")
        appointments = Appointments(uow.session)
        visit_no = command.get("visit_no") or _next_visit(order, appointments.of_work_order(order.id))
        if visit_no > len(order.demand):
            raise Invalid.field("/visit_no", f"The work takes {len(order.demand)} visits.")
        people = _people(command["assignees"], uow)
        start_at, end_at, now = command["start_at"], command["end_at"], uow.clock.now()
        override = _weigh(order, visit_no, command["assignees"], people, start_at, command, may_override)
        appointment = Appointment.schedule(
            {
                **order.about,
                "work_order_id": order.id,
                # A visit belongs to the chain of its work order, whoever asks for it.
                "root_correlation_id": order.root_correlation_id,
                "visit_no": visit_no,
                "round_no": order.round_no,
                "start_at": start_at,
                "end_at": end_at,
                "override_reason": override,
            },
            _crew(command["assignees"], people),
            _window(command.get("promised_window")),
            reporter(),
            now,
        )
        with occupying(appointment.id, _numbers(appointment), start_at, end_at, uow):
            appointments.add(appointment)
        _settle(order, appointment, now, uow)
        return appointment


def move_visit(
    appointment_id: uuid.UUID,
    command: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    may_override: bool,
    expected_version: int,
) -> Appointment:
    """Plan a visit for another time or other people.

    Raises NotFound, Stale, IllegalState, Invalid, NotSchedulable, NotPermitted, TechnicianBusy.
    """
    with uow:
        order, appointment = _locked(appointment_id, uow, expected_version)
        appointment.require("move")
        start_at = command.get("start_at", appointment.start_at)
        end_at = command.get("end_at", appointment.end_at)
        assignees = command.get("assignees") or [
            {"technician_id": known.technician_id, "role": known.role} for known in appointment.assignees
        ]
        people = _people(assignees, uow)
        override = _weigh(order, appointment.visit_no, assignees, people, start_at, command, may_override)
        crew = _crew(assignees, people)
        now = uow.clock.now()
        numbers = [member.technician_no for member in crew]
        with occupying(appointment.id, numbers, start_at, end_at, uow):
            for name, value in order.about.items():
                setattr(appointment, name, value)
            appointment.override_reason = override or appointment.override_reason
            appointment.move(
                start_at, end_at, crew, _window(command.get("promised_window")), command.get("reason"), now
            )
        _settle(order, appointment, now, uow)
        return appointment


def report(
    appointment_id: uuid.UUID,
    verb: str,
    command: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Appointment:
    """Say what became of a visit. `command`: perhaps at, reason and next_needs.

    Raises NotFound, Stale, IllegalState, Invalid, TechnicianUnderway.
    """
    with uow:
        order, appointment = _locked(appointment_id, uow, expected_version, where)
        now = uow.clock.now()
        at = command.get("at") or now
        numbers = _numbers(appointment)
        with occupying(appointment.id, numbers, appointment.start_at, appointment.end_at, uow):
            appointment.perform(
                verb, at, reporter(), now, reason=command.get("reason"), needs=command.get("next_needs")
            )
        _settle(order, appointment, at, uow)
        return appointment


def work_done(visits: Sequence[Appointment]) -> WorkDone:
    """What a work order's visits amount to; each visit's time is rounded half up to a minute for each technician."""
    ended = [visit for visit in visits if visit.outcome is not None]
    return WorkDone(
        visits=len(ended),
        labour_minutes=sum(_minutes(visit.labour_s) * len(visit.assignees) for visit in ended),
        travel_minutes=sum(_minutes(visit.travel_s) * len(visit.assignees) for visit in ended),
    )


def _minutes(seconds: int) -> int:
    return (seconds + 30) // 60


def _locked(
    appointment_id: uuid.UUID,
    uow: UnitOfWork,
    expected_version: int,
    where: ColumnElement[bool] | None = None,
) -> tuple[WorkOrder, Appointment]:
    appointments = Appointments(uow.session)
    work_order_id = appointments.get(appointment_id, where=where).work_order_id
    order = WorkOrders(uow.session).get(work_order_id, lock=True)
    return order, appointments.get(appointment_id, expected_version=expected_version, lock=True)


def _next_visit(order: WorkOrder, visits: Sequence[Appointment]) -> int:
    """The first of the visits asked for that is neither planned nor done since the order was last reopened."""
    taken = {
        visit.visit_no
        for visit in visits
        if visit.state not in ("cancelled", "partially_completed", "failed")
        and visit.round_no == order.round_no
    }
    return next(
        (number for number in range(1, len(order.demand) + 1) if number not in taken), len(order.demand)
    )


def _people(assignees: Sequence[Mapping[str, Any]], uow: UnitOfWork) -> dict[uuid.UUID, Technician]:
    """The technicians named. Raises Invalid for those that do not exist or get no visits."""
    found = Technicians(uow.session).of_ids(assignee["technician_id"] for assignee in assignees)
    for position, assignee in enumerate(assignees):
        technician = found.get(assignee["technician_id"])
        if technician is None or not technician.active:
            raise Invalid.field(
                f"/assignees/{position}/technician_id", "There is no active technician with this id."
            )
    return found


def _crew(assignees: Sequence[Mapping[str, Any]], people: Mapping[uuid.UUID, Technician]) -> list[Assignee]:
    crew = []
    for assignee in assignees:
        technician = people[assignee["technician_id"]]
        crew.append(
            Assignee(
                technician_id=technician.id,
                technician_no=technician.technician_no,
                user_id=technician.user_id,
                first_name=technician.first_name,
                role=assignee["role"],
            )
        )
    return crew


def _numbers(appointment: Appointment) -> list[int]:
    return [assignee.technician_no for assignee in appointment.assignees]


def _window(promised: Mapping[str, datetime] | None) -> Window | None:
    return Window(promised["from_"], promised["to"]) if promised else None


def _weigh(
    order: WorkOrder,
    visit_no: int,
    assignees: Sequence[Mapping[str, Any]],
    people: Mapping[uuid.UUID, Technician],
    start_at: datetime,
    command: Mapping[str, Any],
    may_override: bool,
) -> str | None:
    """The reason for which it is planned against what stands in the way; None where nothing does.

    Raises NotSchedulable, NotPermitted.
    """
    day = start_at.astimezone(ZoneInfo(order.site["time_zone"])).date()
    crew = [
        Member(people[each["technician_id"]].display_name, each["role"], people[each["technician_id"]].skills)
        for each in assignees
    ]
    obstacles = [
        {"code": "on_hold", "detail": f"{hold['kind']}: {hold['reason']}"} for hold in order.holds
    ] + [
        {"code": "skills", "detail": lack}
        for lack in unmet_needs(order.demand[visit_no - 1]["roles"], crew, day)
    ]
    reason: str | None = command.get("override_reason")
    if not obstacles:
        return None
    if reason is None:
        raise NotSchedulable(
            "Remove what stands in the way, or give an override_reason if you may override.",
            obstacles=obstacles,
        )
    if not may_override:
        raise NotPermitted(
            "To plan it nevertheless you need the permission appointment.override.", obstacles=obstacles
        )
    return reason


def _settle(order: WorkOrder, appointment: Appointment, at: datetime, uow: UnitOfWork) -> None:
    """Let the work order follow its appointments."""
    visits = Appointments(uow.session).of_work_order(order.id)
    order.crew_ids = sorted(
        {user for visit in visits if visit.state != "cancelled" for user in visit.crew_ids}
    )
    order.settle(
        [visit.as_visit for visit in visits],
        Trigger(appointment.id, appointment.start_at, appointment.end_at, appointment.technician_ids, at),
        work_done(visits),
    )
