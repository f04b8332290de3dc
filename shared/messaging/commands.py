"""Outside commands: calls that act on the world (an ERP, mail, SMS), never made inside a transaction.

A command is committed first, then performed by a worker, then its result is recorded in a transaction of its own.
If the worker dies between the call and the record, the outside is asked (`find`) before anything is repeated; an
outside that cannot be asked leaves the command visibly `in_doubt` for a person. Commands of one key run one
after another.

    queued -> running -> done
                      -> queued     (try again later)
                      -> failed     (refused for good, or tried too often)
                      -> in_doubt   (perhaps done; the outside cannot be asked)
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.trace import SpanKind
from sqlalchemy import ColumnElement, Row, insert, literal_column, or_, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from shared.db.plumbing import AUDIT_ENTRIES, OUTSIDE_COMMANDS
from shared.db.prepared import Insert
from shared.kernel.cause import Cause, caused_by, current_cause
from shared.kernel.clock import Clock
from shared.kernel.errors import NotFound, Permanent, Retriable, Stale
from shared.kernel.ids import new_id
from shared.messaging.retry import is_permanent, next_attempt
from shared.observability.traces import context_from, current_traceparent, tracer

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["Command", "Commands", "OutsideCall", "give_up", "list_open", "retry", "run_next"]

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""A running command whose worker has been silent this long is taken over."""

RECORD_TRIES = 3

_INSERT = Insert(
    OUTSIDE_COMMANDS,
    "id",
    "kind",
    "key",
    "payload",
    "correlation_id",
    "causation_id",
    "actor_id",
    "traceparent",
    "state",
    "next_attempt_at",
    "created_at",
)

# Not parameters: a prepared statement would lose sight of the partial index.
_QUEUED: ColumnElement[str] = literal_column("'queued'")
_RUNNING: ColumnElement[str] = literal_column("'running'")
_IN_DOUBT: ColumnElement[str] = literal_column("'in_doubt'")
_OPEN = (_QUEUED, _RUNNING, _IN_DOUBT)


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
        """Make the call and return its result. No transaction is open.

        A permanent error (a DomainError) fails the command. `Retriable` says that the call had no effect: it is
        tried again. Any other error may have come after the effect: it is tried again where the outside can be
        asked, else the command is in doubt.
        """
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
        row = {
            "id": command_id,
            "kind": kind,
            "key": key,
            "payload": dict(payload),
            "correlation_id": self._correlation_id(),
            "causation_id": cause.causation_id,
            "actor_id": cause.actor_id,
            "traceparent": current_traceparent(),
            "state": "queued",
            "next_attempt_at": not_before,
            "created_at": self._clock.now(),
        }
        _INSERT(self._session, [row])
        return command_id


def run_next(
    open_unit_of_work: Callable[[], UnitOfWork], calls: Mapping[str, OutsideCall], clock: Clock
) -> bool:
    """Carry out the next command, if there is one: claim, call, record. False when nothing was to do."""
    claimed = _claim(open_unit_of_work(), calls, clock)
    if claimed is None:
        return False
    row, repeated = claimed
    if row.state == "in_doubt":
        return True
    call = calls[row.kind]
    command = Command(row.id, row.kind, row.key, row.payload, row.attempts, row.created_at)
    causation_id = row.causation_id or f"command:{row.id}"
    with (
        caused_by(Cause(row.correlation_id, row.actor_id, row.kind, causation_id=causation_id)),
        tracer().start_as_current_span(
            f"perform {row.kind}", context=context_from(row.traceparent), kind=SpanKind.CLIENT
        ),
    ):
        try:
            with _lease(open_unit_of_work, command, clock):
                result = call.find(command) if repeated and call.can_find else None
                if result is None:
                    result = call.perform(command)
        except Exception as error:  # whatever the outside does, the command must not be lost
            _close_failed(open_unit_of_work, call, command, error, clock)
        else:

            def record(uow: UnitOfWork) -> None:
                call.record(command, result, uow)
                _set(uow.session, command, state="done", done_at=clock.now(), last_error=None)

            _close(open_unit_of_work, command, record)
    return True


def _claim(uow: UnitOfWork, calls: Mapping[str, OutsideCall], clock: Clock) -> tuple[Row[Any], bool] | None:
    """The next command as it is now, running or in doubt, and whether an earlier try may have reached the
    outside."""
    now = clock.now()
    c = OUTSIDE_COMMANDS.c
    earlier = aliased(OUTSIDE_COMMANDS)
    is_head = ~(
        select(earlier.c.id)
        .where(earlier.c.key == c.key, earlier.c.ord < c.ord, earlier.c.state.in_(_OPEN))
        .exists()
    )
    runnable = or_(
        (c.state == _QUEUED) & or_(c.next_attempt_at.is_(None), c.next_attempt_at <= now),
        (c.state == _RUNNING) & (c.lease_until < now),
    )
    query = (
        select(OUTSIDE_COMMANDS)
        .where(runnable, is_head, c.kind.in_(list(calls)))
        .order_by(c.ord)
        .limit(1)
        .with_for_update(skip_locked=True, of=OUTSIDE_COMMANDS)
    )
    with uow:
        found = uow.session.execute(query).first()
        if found is None:
            return None
        died = found.state == "running"
        changes: dict[str, Any] = {
            "state": "running",
            "attempts": found.attempts + 1,
            "lease_until": now + LEASE,
        }
        if died and not calls[found.kind].can_find:
            changes = {"state": "in_doubt", "last_error": "The worker ended during the call."}
            log.error(
                "an outside command is in doubt", extra={"command_id": str(found.id), "kind": found.kind}
            )
        row = uow.session.execute(
            update(OUTSIDE_COMMANDS).where(c.id == found.id).values(**changes).returning(OUTSIDE_COMMANDS)
        ).one()
        return row, died or found.attempts > 0


@contextmanager
def _lease(open_unit_of_work: Callable[[], UnitOfWork], command: Command, clock: Clock) -> Iterator[None]:
    """Keep the command from being taken over for as long as this process makes the call."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(LEASE.total_seconds() / 4):
            try:
                with open_unit_of_work() as uow:
                    _set(uow.session, command, lease_until=clock.now() + LEASE)
            except SQLAlchemyError as error:
                log.warning("the lease of an outside command could not be renewed: %s", error)

    keeper = threading.Thread(target=keep, name=f"lease of {command.kind}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _close(
    open_unit_of_work: Callable[[], UnitOfWork], command: Command, record: Callable[[UnitOfWork], None]
) -> None:
    """Run `record` in a transaction, unless another worker has taken the command over meanwhile.

    A lost race or a broken connection is tried again: what is known about the outside is not given up lightly.
    """
    c = OUTSIDE_COMMANDS.c
    mine = select(c.id).where(
        # A takeover that asked nobody has only raised doubts, which this result settles.
        c.id == command.id,
        c.attempts == command.attempts,
        c.state.in_(("running", "in_doubt")),
    )
    for tries_left in reversed(range(RECORD_TRIES)):
        try:
            with open_unit_of_work() as uow:
                if uow.session.scalar(mine.with_for_update()) is None:
                    log.warning(
                        "an outside command was taken over before its result was known",
                        extra={"command_id": str(command.id), "kind": command.kind},
                    )
                    return
                record(uow)
        except (Stale, OperationalError):
            if not tries_left:
                raise
        else:
            return


def _close_failed(
    open_unit_of_work: Callable[[], UnitOfWork],
    call: OutsideCall,
    command: Command,
    error: Exception,
    clock: Clock,
) -> None:
    again = None if is_permanent(error) else next_attempt(command.attempts, clock.now())
    in_doubt = not (is_permanent(error) or isinstance(error, Retriable) or call.can_find)
    reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
    log.warning(
        "an outside command is in doubt" if in_doubt else "an outside command failed",
        extra={"command_id": str(command.id), "kind": command.kind, "again_at": again, "error": reason},
        exc_info=error,
    )

    def record(uow: UnitOfWork) -> None:
        if in_doubt:
            _set(uow.session, command, state="in_doubt", last_error=reason)
        elif again is None:
            call.record_failure(command, error, uow)
            _set(uow.session, command, state="failed", done_at=clock.now(), last_error=reason)
        else:
            _set(uow.session, command, state="queued", next_attempt_at=again, last_error=reason)

    _close(open_unit_of_work, command, record)


def _set(session: Session, command: Command, **values: Any) -> None:
    c = OUTSIDE_COMMANDS.c
    session.execute(
        update(OUTSIDE_COMMANDS).where(c.id == command.id, c.attempts == command.attempts).values(**values)
    )


def list_open(session: Session, *, limit: int = 100) -> list[dict[str, Any]]:
    """Commands that are not done, those that need a person (`in_doubt`, `failed`) included, oldest first and
    without their payloads."""
    c = OUTSIDE_COMMANDS.c
    shown = [column for column in c if column.name not in ("payload", "traceparent")]
    query = select(*shown).where(c.state != "done").order_by(c.ord).limit(limit)
    return [dict(row) for row in session.execute(query).mappings()]


def retry(uow: UnitOfWork, command_id: uuid.UUID) -> None:
    """Let a command that failed or is in doubt be tried again: a person has found that it had no effect.

    Raises NotFound.
    """
    with uow:
        _settle(uow, command_id, ("failed", "in_doubt"), "retry", state="queued", done_at=None)


def give_up(uow: UnitOfWork, calls: Mapping[str, OutsideCall], command_id: uuid.UUID, reason: str) -> None:
    """Close a command that is in doubt as failed, so that its key moves on. Raises NotFound."""
    with uow:
        row = _settle(
            uow,
            command_id,
            ("in_doubt",),
            "give_up",
            state="failed",
            last_error=reason,
            done_at=uow.clock.now(),
        )
        command = Command(row.id, row.kind, row.key, row.payload, row.attempts, row.created_at)
        calls[row.kind].record_failure(command, Permanent(reason), uow)


def _settle(
    uow: UnitOfWork, command_id: uuid.UUID, states: tuple[str, ...], verb: str, **values: Any
) -> Row[Any]:
    c = OUTSIDE_COMMANDS.c
    row = uow.session.execute(
        update(OUTSIDE_COMMANDS)
        .where(c.id == command_id, c.state.in_(states))
        .values(next_attempt_at=None, **values)
        .returning(OUTSIDE_COMMANDS)
    ).first()
    if row is None:
        raise NotFound(f"No outside command with the id {command_id} is {' or '.join(states)}.")
    uow.session.execute(
        insert(AUDIT_ENTRIES).values(
            at=uow.clock.now(),
            actor=current_cause().actor_id,
            action=f"outside_command.{verb}",
            object=f"outside_command:{command_id}",
            details={"kind": row.kind},
        )
    )
    return row
