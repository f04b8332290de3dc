"""The unit of work: aggregates, their facts, timers, outside commands and audit in one transaction."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Table, event, inspect, update
from sqlalchemy.orm import Session, configure_mappers
from sqlalchemy.orm.attributes import flag_modified, set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from shared.crash_points import passing
from shared.db.base import AggregateRoot, Recorded, parts_of
from shared.db.plumbing import AUDIT_ENTRIES, IDEMPOTENCY_KEYS
from shared.db.prepared import Insert
from shared.kernel.cause import Cause, current_cause
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.errors import Stale
from shared.kernel.ids import new_id
from shared.messaging.commands import Commands
from shared.messaging.outbox import OutboxWriter
from shared.messaging.timers import Timers

__all__ = ["IdempotencyClaim", "UnitOfWork"]

_INSERT_AUDIT = Insert(AUDIT_ENTRIES, "at", "actor", "action", "object", "details")
_CLAIM = ("client", "key", "fingerprint", "status", "answer_headers", "answer")
_INSERT_CLAIM = Insert(IDEMPOTENCY_KEYS, *_CLAIM, "effects", "created_at")
_COUNTERS = {"version", "event_no", "created_at", "updated_at", "root_correlation_id"}


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """The request at work: stored with its effect, so that a repeat of it is known for what it is.

    The answer (`status`, `answer_headers`, `answer`) is what the repeat gets; without one it is told what took effect.
    """

    client: str
    key: str
    fingerprint: bytes
    status: int | None = None
    answer_headers: dict[str, str] | None = None
    answer: bytes | None = None


@dataclass(slots=True)
class _Touched:
    """What one transaction changed."""

    facts: list[tuple[AggregateRoot, Recorded]] = field(default_factory=list)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    new: list[AggregateRoot] = field(default_factory=list)
    chain: uuid.UUID | None = None

    def copy(self) -> _Touched:
        changes = {name: dict(details) for name, details in self.changes.items()}
        return _Touched(list(self.facts), changes, list(self.new), self.chain)


class UnitOfWork:
    """One transaction at a time over one session.

    `with uow:` commits on a clean exit and rolls back on an exception; an inner `with uow:` joins the outer
    one, so a message handler may call the same use case that a route calls. On commit the aggregates are
    flushed first (row locks, version checks), then their facts go to the outbox, then everything becomes true
    at once. Each unit of work reads afresh: make changes inside the block.

    Raises Stale when another transaction changed an aggregate first.
    """

    def __init__(self, session: Session, outbox: OutboxWriter, clock: Clock | None = None) -> None:
        self.session = session
        self.clock: Clock = clock or SystemClock()
        self.timers = Timers(session, self._chain)
        self.commands = Commands(session, self.clock, self._chain)
        self.idempotency: IdempotencyClaim | None = None
        self._outbox = outbox
        self._depth = 0
        self._touched = _Touched()
        # A session forgets what nobody holds; an aggregate must be there when one of its parts has changed.
        self._wholes: list[AggregateRoot] = []
        session.info["unit_of_work"] = self

    def __enter__(self) -> Self:
        session = self.session
        if self._depth == 0 and not (session.new or session.dirty or session.deleted):
            # What an earlier transaction of this session read may have changed since.
            session.expire_all()
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            if self._depth == 1 and self.idempotency is not None and kind is None:
                # The outer block keeps the answer: here ends the view's own, which answers as if it had committed, with
                # versions and times that are given when changes are written.
                self.flush()
            return
        try:
            if kind is None:
                self._commit()
            elif isinstance(error, StaleDataError):  # a query inside the block flushed
                raise _lost_race() from error
        finally:
            # After a commit this is a no-op that gives the connection back.
            self.session.rollback()
            self._touched = _Touched()
            self._wholes.clear()

    def flush(self) -> None:
        """Write what has changed so far, with its facts, inside the running transaction."""
        self._flush_aggregates()
        facts = sorted(self._touched.facts, key=lambda fact: fact[1].order)
        self._touched.facts.clear()
        if facts:
            self._outbox.write(
                self.session, facts, current_cause(), self._settle_chain(facts), self.clock.now()
            )

    def _flush_aggregates(self) -> None:
        try:
            self.session.flush()
        except StaleDataError as stale:
            raise _lost_race() from stale

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail alone: its changes and facts are undone, the rest of the transaction lives."""
        self.flush()
        kept = self._touched.copy()
        try:
            with self.session.begin_nested():
                yield
                self.flush()
        except BaseException as error:
            self._touched = kept
            for known in self.session.identity_map.values():
                if isinstance(known, AggregateRoot):
                    known.drop_recorded()
            if isinstance(error, StaleDataError):
                raise _lost_race() from error
            raise

    def _commit(self) -> None:
        self.flush()
        touched = self._touched
        cause = current_cause()
        if touched.changes and cause.causation_id is None:
            _INSERT_AUDIT(self.session, self._audit_rows(cause))
        if self.idempotency is not None:
            row = {name: getattr(self.idempotency, name) for name in _CLAIM}
            effects, now = list(touched.changes), self.clock.now()
            _INSERT_CLAIM(self.session, [{**row, "effects": effects, "created_at": now}])
        passing("W1")
        self.session.commit()
        passing("W2")
        # The request has its effect; a second unit of work of the same request is not the effect again.
        self.idempotency = None

    def _audit_rows(self, cause: Cause) -> list[dict[str, Any]]:
        now = self.clock.now()
        return [
            {
                "at": now,
                "actor": cause.actor_id,
                "action": cause.action,
                "object": object_id,
                "details": details,
            }
            for object_id, details in self._touched.changes.items()
        ]

    def _chain(self) -> uuid.UUID:
        """The chain of what is changed here, for timers and commands set in the same transaction."""
        self._flush_aggregates()
        return self._settle_chain(self._touched.facts)

    def _settle_chain(self, facts: Sequence[tuple[AggregateRoot, Recorded]]) -> uuid.UUID:
        """The chain of the whole transaction, which its new aggregates then belong to."""
        chain = self._chain_of(facts)
        if facts and current_cause().causation_id is None:
            self._touched.chain = chain
        for aggregate in self._touched.new:
            if aggregate.root_correlation_id != chain:
                # It was flushed before the transaction touched what has a chain. Not a change of its own:
                # the version stays.
                table: Table = inspect(type(aggregate)).local_table
                self.session.execute(
                    update(table).where(table.c.id == aggregate.id).values(root_correlation_id=chain)
                )
                set_committed_value(aggregate, "root_correlation_id", chain)
        self._touched.new.clear()
        return chain

    def _chain_of(self, facts: Sequence[tuple[AggregateRoot, Recorded]]) -> uuid.UUID:
        """Facts caused by a fact stay in its chain; a person's request continues the chain of the first
        aggregate it touches that has one."""
        cause, touched = current_cause(), self._touched
        if cause.causation_id is not None:
            return cause.correlation_id
        if touched.chain is not None:
            return touched.chain
        known = (aggregate for aggregate, _ in facts if aggregate not in touched.new)
        return next((aggregate.root_correlation_id for aggregate in known), cause.correlation_id)

    def _before_flush(self) -> None:
        session, now = self.session, self.clock.now()
        new = [obj for obj in session.new if isinstance(obj, AggregateRoot)]
        self._touch_wholes(now)
        dirty = [obj for obj in session.dirty if isinstance(obj, AggregateRoot) and session.is_modified(obj)]
        deleted = [obj for obj in session.deleted if isinstance(obj, AggregateRoot)]
        facts = self._touched.facts
        for aggregate in (*new, *dirty, *deleted):
            facts.extend((aggregate, fact) for fact in aggregate.take_recorded())
        for aggregate in new:
            self._note(aggregate, created=True)
            aggregate.created_at = aggregate.updated_at = now
        for aggregate in dirty:
            self._note(aggregate)
            aggregate.updated_at = now
            # Even at the same moment: what changed may be a part, which has a table of its own.
            flag_modified(aggregate, "updated_at")
        for aggregate in deleted:
            self._note(aggregate, deleted=True)
        unrooted = [aggregate for aggregate in new if aggregate.root_correlation_id is None]
        if unrooted:
            self._touched.new.extend(unrooted)
            chain = self._chain_of(sorted(facts, key=lambda fact: fact[1].order))
            for aggregate in unrooted:
                aggregate.root_correlation_id = chain

    def _touch_wholes(self, now: datetime) -> None:
        """Mark the aggregates whose parts, reached through them, changed: the version of the whole is the lock on a
        part, which has none."""
        session = self.session
        changed = [part for part in session.dirty if not isinstance(part, AggregateRoot)]
        changed = [part for part in changed if session.is_modified(part)]
        for aggregate in self._wholes if changed else ():
            state = inspect(aggregate)
            parts = itertools.chain(*(state.dict.get(name, ()) for name in parts_of(state.mapper)))
            if aggregate in session and any(part in changed for part in parts):
                aggregate.updated_at = now
                flag_modified(aggregate, "updated_at")

    def _note(self, aggregate: AggregateRoot, **kind: bool) -> None:
        """Remember ids and field names, never values, for the audit."""
        details = self._touched.changes.setdefault(f"{aggregate.AGGREGATE}:{aggregate.id}", {"fields": []})
        details |= kind
        if not kind:
            attributes = inspect(aggregate).attrs
            changed = {each.key for each in attributes if each.history.has_changes()}
            details["fields"] = sorted({*details["fields"], *changed} - _COUNTERS)


def _lost_race() -> Stale:
    return Stale("Somebody else changed the record at the same moment. Read it again and repeat your change.")


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    unit_of_work: UnitOfWork | None = session.info.get("unit_of_work")
    if unit_of_work is not None:
        unit_of_work._before_flush()


@event.listens_for(Session, "loaded_as_persistent")
def _hold_wholes(session: Session, instance: Any) -> None:
    unit_of_work: UnitOfWork | None = session.info.get("unit_of_work")
    if unit_of_work is not None and parts_of(inspect(instance).mapper):
        unit_of_work._wholes.append(instance)


@event.listens_for(AggregateRoot, "init", propagate=True)
def _give_identity(target: AggregateRoot, _args: Any, kwargs: dict[str, Any]) -> None:
    # Set before the constructor runs, whatever arguments that takes: a fact may be recorded inside it. The
    # first instance of all may come before the mappers are configured.
    configure_mappers()
    if "id" not in kwargs:
        target.id = new_id()
    target.event_no = 0
