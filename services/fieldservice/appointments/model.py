"""The appointment aggregate, its crew, and the history of its states."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.fieldservice.appointments.events import AppointmentMoved, AppointmentScheduled
from services.fieldservice.cascade import Visit
from services.fieldservice.database import Base
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState, Invalid
from shared.kernel.ids import new_id

__all__ = ["Appointment", "Assignee", "Reporter", "StatusChange", "Window"]

LIVE = ("scheduled", "en_route", "in_progress", "on_break")
UNDERWAY = ("en_route", "in_progress", "on_break")
RUNNING = ("in_progress", "on_break")

_VERBS: dict[str, tuple[tuple[str, ...], str]] = {
    "move": (("scheduled",), "scheduled"),
    "depart": (("scheduled",), "en_route"),
    "arrive": (("scheduled", "en_route"), "in_progress"),
    "pause": (("in_progress",), "on_break"),
    "resume": (("on_break",), "in_progress"),
    "complete": (("in_progress",), "completed"),
    "stop_short": (("in_progress", "on_break"), "partially_completed"),
    "no_access": (("en_route", "in_progress"), "failed"),
    "cancel": (("scheduled", "en_route"), "cancelled"),
}
_OUTCOMES = {"completed": "done", "partially_completed": "partial", "failed": "no_access"}


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who says so: `source` is office or event, `actor` as the audit log names it."""

    source: str
    actor: str


@dataclass(frozen=True, slots=True)
class Window:
    """When the customer is to expect somebody."""

    start: datetime
    end: datetime

    def to_data(self) -> dict[str, datetime]:
        """As messages carry it."""
        return {"from": self.start, "to": self.end}

    def holds(self, start: datetime, end: datetime) -> bool:
        """Whether a visit from `start` to `end` begins and ends inside."""
        return self.start <= start and end <= self.end


class Assignee(Base):
    """A technician on an appointment. The database keeps the `busy` times of one number apart while they are `live`,
    and lets one of them be `underway`."""

    __tablename__ = "appointment_assignees"

    appointment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("appointments.id"), primary_key=True)
    technician_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    technician_no: Mapped[int]
    user_id: Mapped[uuid.UUID]
    first_name: Mapped[str]
    role: Mapped[str]
    busy: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    live: Mapped[bool]
    underway: Mapped[bool]


class StatusChange(Base):
    """One change of state, never changed itself. `effective_at` is when it happened, `received_at` when we heard."""

    __tablename__ = "appointment_status_changes"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("appointments.id"))
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    effective_at: Mapped[datetime]
    received_at: Mapped[datetime]
    source: Mapped[str]
    actor: Mapped[str]


class Appointment(AggregateRoot, Base):
    """States: scheduled -> en_route -> in_progress <-> on_break -> completed | partially_completed; failed where nobody
    let them in; cancelled. `labour_s` and `travel_s`: seconds at work and on the road, per technician.
    `round_no`: how often its work order had been opened when it was planned.

    What it knows of its work order (`work_order_number` to `time_zone`) are copies.
    """

    __tablename__ = "appointments"
    AGGREGATE = "appointment"

    work_order_id: Mapped[uuid.UUID]
    work_order_number: Mapped[str]
    account_id: Mapped[uuid.UUID]
    contact_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    order_id: Mapped[uuid.UUID | None]
    case_id: Mapped[uuid.UUID | None]
    time_zone: Mapped[str]
    crew_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid))
    visit_no: Mapped[int]
    round_no: Mapped[int]
    state: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    promised_from: Mapped[datetime | None]
    promised_to: Mapped[datetime | None]
    told_from: Mapped[datetime | None]
    told_to: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    departed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    labour_s: Mapped[int]
    travel_s: Mapped[int]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]
    next_needs: Mapped[str | None]
    override_reason: Mapped[str | None]

    # Sorted, so that two transactions that want the same people wait for each other instead of dead-locking.
    assignees: Mapped[list[Assignee]] = relationship(
        order_by=Assignee.technician_no, cascade="all, delete-orphan", lazy="selectin"
    )
    history: Mapped[list[StatusChange]] = relationship(
        order_by=(StatusChange.received_at, StatusChange.id), cascade="all, delete-orphan", lazy="selectin"
    )

    @classmethod
    def schedule(
        cls,
        values: Mapping[str, Any],
        crew: Sequence[Assignee],
        window: Window | None,
        by: Reporter,
        now: datetime,
    ) -> Self:
        """A new appointment. `values`: fields by name, with start_at, end_at and what it knows of its work order;
        `window`: what the customer is promised. Raises Invalid."""
        appointment = cls(
            **values,
            state="scheduled",
            changed_at=now,
            labour_s=0,
            travel_s=0,
            assignees=[],
            history=[],
        )
        appointment._place(values["start_at"], values["end_at"], crew, now)
        appointment._promise(window)
        appointment._note(None, now, by, now)
        appointment.record(AppointmentScheduled(**appointment._state("visit_scheduled")))
        return appointment

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return [verb for verb, (states, _) in _VERBS.items() if self.state in states]

    @property
    def is_running(self) -> bool:
        """Whether somebody is at work."""
        return self.state in RUNNING

    @property
    def is_ahead(self) -> bool:
        """Whether it can still be called off."""
        return "cancel" in self.allowed

    @property
    def as_visit(self) -> Visit:
        """As the state of the work order depends on it."""
        return Visit(self.state, self.visit_no, self.round_no)

    @property
    def technician_ids(self) -> list[uuid.UUID]:
        """Who comes, the lead first."""
        return [assignee.technician_id for assignee in self._crew()]

    @property
    def promised_window(self) -> dict[str, datetime] | None:
        """What the customer was promised."""
        return _window(self.promised_from, self.promised_to)

    @property
    def told_window(self) -> dict[str, datetime] | None:
        """What the customer was last told."""
        return _window(self.told_from, self.told_to)

    # -- what happens to it ---------------------------------------------------------------------------------------

    def move(
        self,
        start_at: datetime,
        end_at: datetime,
        crew: Sequence[Assignee] | None,
        window: Window | None,
        reason: str | None,
        now: datetime,
    ) -> None:
        """Plan it for another time or other people (`crew` None: the same). The customer is told unless the visit stays
        inside what he was told. Raises IllegalState, Invalid."""
        self.require("move")
        previous_start_at, previous_end_at = self.start_at, self.end_at
        self._place(start_at, end_at, crew, now)
        told = Window(self.told_from, self.told_to) if self.told_from and self.told_to else None
        is_news = window is not None or told is None or not told.holds(start_at, end_at)
        if is_news:
            self._promise(window)
        template = "visit_moved" if is_news else None
        self.record(
            AppointmentMoved(
                **self._state(template),
                previous_start_at=previous_start_at,
                previous_end_at=previous_end_at,
                reason=reason,
            )
        )

    def perform(
        self, verb: str, at: datetime, by: Reporter, now: datetime, *, reason: str | None, needs: str | None
    ) -> None:
        """Go to the state that `verb` leads to. `at`: when it happened; `needs`: what the next visit needs.

        Raises IllegalState, Invalid.
        """
        self.require(verb)
        if at > now:
            raise Invalid.field("/at", "It cannot have happened yet.")
        # What was planned late may have begun before; only what was reported has an order.
        if self.state != "scheduled" and at < self.changed_at:
            raise Invalid.field("/at", f"It cannot have happened before the visit was {self.state}.")
        before = self.state
        self._count_time(at)
        self.state = _VERBS[verb][1]
        self.changed_at = at
        if verb == "depart":
            self.departed_at = at
        elif verb == "arrive":
            self.arrived_at = at
        elif self.state not in LIVE:
            self.finished_at, self.outcome = at, _OUTCOMES.get(self.state)
        if reason is not None:
            self.reason, self.next_needs = reason, needs
        for assignee in self.assignees:
            assignee.live = self.state in LIVE
            assignee.underway = self.state in UNDERWAY
        self._note(before, at, by, now)

    def require(self, verb: str) -> None:
        """Raise IllegalState unless the state allows `verb`."""
        if verb not in self.allowed:
            state = self.state.replace("_", " ")
            raise IllegalState(
                f"An appointment that is {state} does not allow: {verb}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _place(
        self, start_at: datetime, end_at: datetime, crew: Sequence[Assignee] | None, now: datetime
    ) -> None:
        if end_at <= now:
            raise Invalid.field("/end_at", "That time has passed.")
        self.start_at, self.end_at = start_at, end_at
        if crew is not None:
            wanted = {member.technician_id: member for member in crew}
            kept = {known.technician_id: known for known in self.assignees if known.technician_id in wanted}
            for technician_id, known in kept.items():
                known.role = wanted[technician_id].role
            members = [kept.get(technician_id, member) for technician_id, member in wanted.items()]
            self.assignees = sorted(members, key=lambda member: member.technician_no)
        for assignee in self.assignees:
            assignee.busy, assignee.live, assignee.underway = Range(start_at, end_at), True, False
        self.crew_ids = [assignee.user_id for assignee in self.assignees]

    def _promise(self, window: Window | None) -> None:
        self.promised_from = self.told_from = window.start if window else None
        self.promised_to = self.told_to = window.end if window else None

    def _count_time(self, until: datetime) -> None:
        seconds = int((until - self.changed_at).total_seconds())
        if self.state == "in_progress":
            self.labour_s += seconds
        elif self.state == "en_route":
            self.travel_s += seconds

    def _note(self, before: str | None, at: datetime, by: Reporter, now: datetime) -> None:
        self.history.append(
            StatusChange(
                id=new_id(),
                from_state=before,
                to_state=self.state,
                effective_at=at,
                received_at=now,
                source=by.source,
                actor=by.actor,
            )
        )

    def _crew(self) -> list[Assignee]:
        return sorted(self.assignees, key=lambda assignee: assignee.role != "lead")

    def _state(self, template: str | None) -> dict[str, Any]:
        crew = self._crew()
        return {
            "appointment_id": self.id,
            "work_order_id": self.work_order_id,
            "work_order_number": self.work_order_number,
            "visit_no": self.visit_no,
            "state": self.state,
            "start_at": self.start_at,
            "end_at": self.end_at,
            "time_zone": self.time_zone,
            "promised_window": self.promised_window,
            "told_window": self.told_window,
            "assignees": [
                {"technician_id": each.technician_id, "user_id": each.user_id, "role": each.role}
                for each in crew
            ],
            "account_id": self.account_id,
            "contact_id": self.contact_id,
            "case_id": self.case_id,
            "order_id": self.order_id,
            "language": None,
            "technician_first_name": crew[0].first_name,
            "template_key": template,
            "tracking_url": None,
        }


def _window(start: datetime | None, end: datetime | None) -> dict[str, datetime] | None:
    return Window(start, end).to_data() if start is not None and end is not None else None
