"""What concerns an appointment alone. What its work order has to do with is in `processes/visits.py`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.errors import ExclusionViolation, UniqueViolation
from sqlalchemy.exc import IntegrityError

from services.fieldservice.appointments.errors import TechnicianBusy, TechnicianUnderway
from services.fieldservice.appointments.model import Reporter
from services.fieldservice.appointments.repository import Appointments, Blocking
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.kernel.errors import Unavailable
from shared.kernel.events import to_data

__all__ = ["occupying", "reporter"]


def reporter() -> Reporter:
    """Who is behind what happens at the moment."""
    cause = current_cause()
    return Reporter("office" if cause.causation_id is None else "event", cause.actor_id)


@contextmanager
def occupying(
    appointment_id: uuid.UUID,
    technician_nos: Collection[int],
    start_at: datetime,
    end_at: datetime,
    uow: UnitOfWork,
) -> Iterator[None]:
    """Change an appointment inside the block; the database sees to it that nobody is at two places at once.

    Raises TechnicianBusy and TechnicianUnderway, naming the appointment in the way.
    """
    appointments = Appointments(uow.session)
    try:
        with uow.savepoint():
            yield
    except IntegrityError as error:
        if isinstance(error.orig, ExclusionViolation):
            other = _still_there(appointments.overlapping(technician_nos, start_at, end_at, appointment_id))
            raise TechnicianBusy(
                f"{other.work_order_number} takes the technician's time then. Choose another time or technician.",
                **_named(other),
            ) from error
        if isinstance(error.orig, UniqueViolation):
            other = _still_there(appointments.underway(technician_nos, appointment_id))
            raise TechnicianUnderway(
                f"The technician is on the way to or at {other.work_order_number}. That visit has to end first.",
                **_named(other),
            ) from error
        raise


def _still_there(blocking: Blocking | None) -> Blocking:
    if blocking is None:
        raise Unavailable("What stood in the way has gone at this moment. Repeat your change.", retry_after=1)
    return blocking


def _named(other: Blocking) -> dict[str, Any]:
    return {
        "blocking_appointment_id": str(other.appointment_id),
        "technician_id": str(other.technician_id),
        "start_at": to_data(other.start_at),
        "end_at": to_data(other.end_at),
    }
