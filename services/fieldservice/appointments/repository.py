"""Get and find appointments."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from services.fieldservice.appointments.model import Appointment, Assignee
from shared.db.repository import Repository

__all__ = ["Appointments", "Blocking"]


@dataclass(frozen=True, slots=True)
class Blocking:
    """An appointment that stands in the way of another."""

    appointment_id: uuid.UUID
    technician_id: uuid.UUID
    work_order_number: str
    start_at: datetime
    end_at: datetime


class Appointments(Repository[Appointment]):
    """The appointments of one session."""

    model = Appointment

    def of_work_order(self, work_order_id: uuid.UUID) -> Sequence[Appointment]:
        """All appointments of a work order, in the order in which they are planned."""
        query = select(Appointment).where(Appointment.work_order_id == work_order_id)
        return self.session.scalars(query.order_by(Appointment.start_at, Appointment.id)).all()

    def overlapping(
        self, technician_nos: Collection[int], start_at: datetime, end_at: datetime, but: uuid.UUID
    ) -> Blocking | None:
        """The first live appointment, other than `but`, that one of the technicians has between the two instants."""
        busy = func.tstzrange(start_at, end_at)
        return self._first(Assignee.technician_no.in_(technician_nos), Assignee.busy.op("&&")(busy), but=but)

    def underway(self, technician_nos: Collection[int], but: uuid.UUID) -> Blocking | None:
        """The appointment, other than `but`, that one of the technicians drives to or works at."""
        return self._first(Assignee.technician_no.in_(technician_nos), Assignee.underway.is_(True), but=but)

    def _first(self, *where: ColumnElement[bool], but: uuid.UUID) -> Blocking | None:
        found = self.session.execute(
            select(
                Assignee.appointment_id,
                Assignee.technician_id,
                Appointment.work_order_number,
                Appointment.start_at,
                Appointment.end_at,
            )
            .join(Appointment, Appointment.id == Assignee.appointment_id)
            .where(Assignee.live, Assignee.appointment_id != but, *where)
            .order_by(Appointment.start_at)
            .limit(1)
        ).first()
        return Blocking(*found) if found is not None else None
