"""Work on cases. Opening one looks at assets and contracts: `processes/open_case.py`."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement

from services.support.cases.model import SILENT_AFTER, Case
from services.support.cases.repository import Cases
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.messaging.timers import Timer

__all__ = [
    "CLOSING",
    "WAKING",
    "assign_case",
    "cancel_case",
    "close_case",
    "close_silent_case",
    "erase_cases_of",
    "reopen_case",
    "resolve_case",
    "resume_case",
    "wait_for",
    "wake_case",
]

CLOSING = "case_closing"
WAKING = "case_waking"


def assign_case(
    case_id: uuid.UUID,
    owner_id: uuid.UUID,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Case:
    """Give a case to somebody. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.assign(owner_id, current_cause().actor_id, uow.clock.now())
        return case


def wait_for(
    case_id: uuid.UUID,
    waits_for: str,
    wake_at: datetime | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Case:
    """Wait; with `wake_at` the case resumes by itself then. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.wait(waits_for, wake_at, current_cause().actor_id, uow.clock.now())
        if wake_at is not None:
            uow.timers.set("case", case.id, WAKING, wake_at)
        return case


def resume_case(
    case_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Case:
    """Work goes on. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.resume(current_cause().actor_id, uow.clock.now())
        uow.timers.cancel("case", case.id, WAKING)
        return case


def resolve_case(
    case_id: uuid.UUID,
    outcome: str,
    answer: str,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Case:
    """The trouble is gone; after a week of silence the case closes. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        now = uow.clock.now()
        case.resolve(outcome, answer, current_cause().actor_id, now)
        uow.timers.cancel("case", case.id, WAKING)
        uow.timers.set("case", case.id, CLOSING, now + SILENT_AFTER)
        return case


def close_case(
    case_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Case:
    """The customer agrees. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.close("confirmed", current_cause().actor_id, uow.clock.now())
        uow.timers.cancel("case", case.id, CLOSING)
        return case


def cancel_case(
    case_id: uuid.UUID, outcome: str, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Case:
    """It was no case. Raises NotFound, Stale, IllegalState."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.cancel(outcome, current_cause().actor_id, uow.clock.now())
        uow.timers.cancel("case", case.id, WAKING)
        return case


def reopen_case(
    case_id: uuid.UUID,
    note: str | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Case:
    """The trouble is back. Raises NotFound, Stale, IllegalState, ClosedForReopen."""
    with uow:
        case = Cases(uow.session).get(case_id, expected_version=expected_version, where=where)
        case.reopen(current_cause().actor_id, note, uow.clock.now())
        uow.timers.cancel("case", case.id, CLOSING)
        return case


def close_silent_case(timer: Timer, uow: UnitOfWork) -> None:
    """A week without a word: the case closes."""
    case = Cases(uow.session).get(timer.owner_id, lock=True)
    if case.state == "resolved":
        case.close("silent", current_cause().actor_id, uow.clock.now())


def erase_cases_of(contact_id: uuid.UUID, uow: UnitOfWork) -> None:
    """A person is to be forgotten: blank the words of all cases."""
    for case in Cases(uow.session).of_contact(contact_id):
        case.erase(uow.clock.now())


def wake_case(timer: Timer, uow: UnitOfWork) -> None:
    """What the case waited for should have happened by now."""
    case = Cases(uow.session).get(timer.owner_id, lock=True)
    if case.state == "waiting":
        case.resume(current_cause().actor_id, uow.clock.now())
