"""Timers: something to do at a time, set and cancelled inside a unit of work, fired exactly once.

Late timers fire when the service is back. A handler re-checks the state it finds and does nothing where the
timer no longer applies.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.db.plumbing import TIMERS
from shared.kernel.cause import Cause, caused_by
from shared.kernel.clock import Clock
from shared.kernel.ids import new_id
from shared.messaging.retry import next_attempt

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["Timer", "TimerHandler", "Timers", "fire_due"]

log = logging.getLogger(__name__)

BATCH = 100

# Not a parameter: a prepared statement would lose sight of the partial indexes.
_PENDING = TIMERS.c.state == literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that has come due."""

    id: uuid.UUID
    owner_type: str
    owner_id: uuid.UUID
    kind: str
    due_at: datetime
    payload: dict[str, Any]
    correlation_id: uuid.UUID


TimerHandler = Callable[[Timer, "UnitOfWork"], None]


class Timers:
    """The timers of one unit of work. At most one of a kind is pending per owner: setting it again moves it."""

    def __init__(self, session: Session, correlation_id: Callable[[], uuid.UUID]) -> None:
        self._session = session
        self._correlation_id = correlation_id

    def set(
        self,
        owner_type: str,
        owner_id: uuid.UUID,
        kind: str,
        due_at: datetime,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Fire `kind` for the owner at `due_at`."""
        values = {"due_at": due_at, "payload": dict(payload or {}), "correlation_id": self._correlation_id()}
        self._session.execute(
            insert(TIMERS)
            .values(
                id=new_id(), owner_type=owner_type, owner_id=owner_id, kind=kind, state="pending", **values
            )
            .on_conflict_do_update(
                index_elements=["owner_type", "owner_id", "kind"],
                index_where=_PENDING,
                set_={**values, "attempts": 0, "next_attempt_at": None},
            )
        )

    def cancel(self, owner_type: str, owner_id: uuid.UUID, kind: str) -> bool:
        """Do not fire; False when none was pending."""
        t = TIMERS.c
        result = self._session.execute(
            update(TIMERS)
            .where(t.owner_type == owner_type, t.owner_id == owner_id, t.kind == kind, _PENDING)
            .values(state="cancelled")
        )
        return bool(result.rowcount)  # type: ignore[attr-defined]


def fire_due(
    open_unit_of_work: Callable[[], UnitOfWork], handlers: Mapping[str, TimerHandler], clock: Clock
) -> int:
    """Fire what is due, each timer in its own transaction; how many were fired or tried.

    A handler that fails leaves its timer pending: it is tried again with growing pauses.
    """
    now = clock.now()
    t = TIMERS.c
    due = (
        select(TIMERS)
        .where(_PENDING, t.due_at <= now, or_(t.next_attempt_at.is_(None), t.next_attempt_at <= now))
        .order_by(t.due_at, t.id)
    )
    with open_unit_of_work() as uow:
        ids = [row.id for row in uow.session.execute(due.limit(BATCH))]
    return sum(_fire(open_unit_of_work(), handlers, due.where(t.id == timer_id), clock) for timer_id in ids)


def _fire(uow: UnitOfWork, handlers: Mapping[str, TimerHandler], due: Select[Any], clock: Clock) -> bool:
    now = clock.now()
    with uow:
        row = uow.session.execute(due.with_for_update(skip_locked=True)).first()
        if row is None:  # another process has it, or it was cancelled or moved meanwhile
            return False
        timer = Timer(
            row.id, row.owner_type, row.owner_id, row.kind, row.due_at, row.payload, row.correlation_id
        )
        this = update(TIMERS).where(TIMERS.c.id == timer.id)
        cause = Cause(timer.correlation_id, "system:timers", timer.kind, causation_id=f"timer:{timer.id}")
        try:
            with uow.savepoint(), caused_by(cause):
                # Before the handler: it may set the same timer again, which is then another one.
                uow.session.execute(this.values(state="fired", fired_at=now))
                handlers[timer.kind](timer, uow)
                uow.flush()
        except Exception as error:  # whatever a handler raises must not lose the timer
            reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
            again = next_attempt(row.attempts + 1, now, final=False)
            log.warning(
                "a timer could not be fired",
                extra={
                    "timer_id": str(timer.id),
                    "kind": timer.kind,
                    "owner": f"{timer.owner_type}:{timer.owner_id}",
                    "again_at": again,
                    "error": reason,
                },
                exc_info=error,
            )
            uow.session.execute(
                this.values(attempts=row.attempts + 1, next_attempt_at=again, last_error=reason)
            )
    return True
