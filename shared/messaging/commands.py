"""Outside commands: calls that act on the world (an ERP, mail, SMS), never made inside a transaction.

A command is committed first, then performed by a worker, then its result is recorded in a transaction of its own.
If the worker dies between the call and the record, the outside is asked (`find`) before anything is repeated; an
outside that cannot be asked leaves the command visibly `in_doubt` for a person. Commands of one key run one after
another.

    queued -> running -> done
                      -> queued     (try again later)
                      -> failed     (refused for good, or tried too often)
                      -> in_doubt   (perhaps done; the outside cannot be asked)
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from shared.db.plumbing import OUTSIDE_COMMANDS
from shared.kernel.cause import Cause, caused_by, current_cause
from shared.kernel.clock import Clock
from shared.kernel.ids import new_id
from shared.messaging.retry import is_permanent, next_attempt
from shared.observability.traces import current_traceparent

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["Command", "Commands", "OutsideCall", "run_next"]

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""A running command whose worker has been silent this long is taken over."""

OPEN_STATES = ("queued", "running", "in_doubt")


@dataclass(frozen=True, slots=True)
class Command:
    """A command at work. `id` is the idempotency key to give to the outside; `attempts` counts this one."""

    id: uuid.UUID
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    created_at: datetime


class OutsideCall(Protocol):
    """How commands of one kind are carried out."""

    can_find: bool
    """Whether the outside can be asked if a command was carried out."""

    def find(self, command: Command) -> Any | None:
        """Ask the outside for the result of an earlier try; None when it knows nothing of it. Called only where
        `can_find`, before every repeated try."""
        ...

    def perform(self, command: Command) -> Any:
        """Make the call and return its result. No transaction is open. A permanent error (a DomainError) fails
        the command; any other is tried again."""
        ...

    def record(self, command: Command, result: Any, uow: UnitOfWork) -> None:
        """Note the result, inside the transaction that closes the command."""
        ...

    def record_failure(self, command: Command, error: BaseException, uow: UnitOfWork) -> None:
        """Note that the command failed for good, inside the transaction that closes it."""
        ...


class Commands:
    """The outside commands of one unit of work."""

    def __init__(self, session: Session, clock: Clock, correlation_id: Callable[[], uuid.UUID]) -> None:
        self._session = session
        self._clock = clock
        self._correlation_id = correlation_id

    def add(
        self, kind: str, key: str, payload: Mapping[str, Any], *, not_before: datetime | None = None
    ) -> uuid.UUID:
        """Ask for a call. `key`: whatever must not overlap, for example an order id. Answers the command's id."""
        command_id = new_id()
        cause = current_cause()
        self._session.execute(
            insert(OUTSIDE_COMMANDS).values(
                id=command_id,
                kind=kind,
                key=key,
                payload=dict(payload),
                correlation_id=self._correlation_id(),
                causation_id=cause.causation_id,
                actor_id=cause.actor_id,
                traceparent=current_traceparent(),
                state="queued",
                next_attempt_at=not_before,
                created_at=self._clock.now(),
            )
        )
        return command_id


def run_next(
    open_unit_of_work: Callable[[], UnitOfWork], calls: Mapping[str, OutsideCall], clock: Clock
) -> bool:
    """Carry out the next command, if there is one: claim, call, record. False when nothing was to do."""
    claimed = _claim(open_unit_of_work(), calls, clock)
    if claimed is None:
        return False
    row, repeated = claimed
    call = calls[row.kind]
    command = Command(row.id, row.kind, row.key, row.payload, row.attempts + 1, row.created_at)
    cause = Cause(
        row.correlation_id, row.actor_id, row.kind, causation_id=row.causation_id or f"command:{row.id}"
    )
    with caused_by(cause):
        try:
            result = call.find(command) if repeated and call.can_find else None
            if result is None:
                result = call.perform(command)
        except Exception as error:
            _close_failed(open_unit_of_work(), call, command, error, clock)
        else:
            with open_unit_of_work() as uow:
                call.record(command, result, uow)
                _set(uow.session, command.id, state="done", done_at=clock.now(), last_error=None)
    return True


def _claim(uow: UnitOfWork, calls: Mapping[str, OutsideCall], clock: Clock) -> tuple[Row[Any], bool] | None:
    """The next command and whether an earlier try may have reached the outside."""
    now = clock.now()
    c = OUTSIDE_COMMANDS.c
    earlier = aliased(OUTSIDE_COMMANDS)
    is_head = ~(
        select(earlier.c.id)
        .where(earlier.c.key == c.key, earlier.c.ord < c.ord, earlier.c.state.in_(OPEN_STATES))
        .exists()
    )
    runnable = or_(
        (c.state == "queued") & or_(c.next_attempt_at.is_(None), c.next_attempt_at <= now),
        (c.state == "running") & (c.lease_until < now),
    )
    query = (
        select(OUTSIDE_COMMANDS)
        .where(runnable, is_head, c.kind.in_(list(calls)))
        .order_by(c.ord)
        .limit(1)
        .with_for_update(skip_locked=True, of=OUTSIDE_COMMANDS)
    )
    with uow:
        row = uow.session.execute(query).first()
        if row is None:
            return None
        died = row.state == "running"
        if died and not calls[row.kind].can_find:
            _set(
                uow.session,
                row.id,
                state="in_doubt",
                last_error="The worker ended during the call. Check outside whether it was made.",
            )
            log.error("an outside command is in doubt", extra={"command_id": str(row.id), "kind": row.kind})
            return None
        _set(uow.session, row.id, state="running", attempts=row.attempts + 1, lease_until=now + LEASE)
        return row, died or row.attempts > 0


def _close_failed(
    uow: UnitOfWork, call: OutsideCall, command: Command, error: Exception, clock: Clock
) -> None:
    again = None if is_permanent(error) else next_attempt(command.attempts, clock.now())
    text = f"{type(error).__name__}: {error}"[:2000]
    log.warning(
        "an outside command failed",
        extra={"command_id": str(command.id), "kind": command.kind, "again_at": again, "error": text},
    )
    with uow:
        if again is None:
            call.record_failure(command, error, uow)
            _set(uow.session, command.id, state="failed", done_at=clock.now(), last_error=text)
        else:
            _set(uow.session, command.id, state="queued", next_attempt_at=again, last_error=text)


def _set(session: Session, command_id: uuid.UUID, **values: Any) -> None:
    session.execute(update(OUTSIDE_COMMANDS).where(OUTSIDE_COMMANDS.c.id == command_id).values(**values))
