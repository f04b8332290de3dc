"""The unit of work: aggregates, the facts they recorded, timers, outside commands and audit in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sqlalchemy import event, insert
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from shared.db.base import AggregateRoot, Recorded
from shared.db.plumbing import AUDIT_ENTRIES, IDEMPOTENCY_KEYS
from shared.kernel.cause import Cause, current_cause
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.errors import Stale
from shared.kernel.ids import new_id
from shared.messaging.commands import Commands
from shared.messaging.outbox import OutboxWriter
from shared.messaging.timers import Timers

__all__ = ["IdempotencyClaim", "UnitOfWork"]

_INSERT_AUDIT = insert(AUDIT_ENTRIES)
_INSERT_CLAIM = insert(IDEMPOTENCY_KEYS)


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """The request at work: stored with its effect, so that a repeat of it is known for what it is."""

    client: str
    key: str
    fingerprint: bytes


@dataclass(slots=True)
class _Touched:
    """What one transaction changed."""

    facts: list[tuple[AggregateRoot, Recorded]] = field(default_factory=list)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


class UnitOfWork:
    """One transaction at a time over one session.

    `with uow:` commits on a clean exit and rolls back on an exception; an inner `with uow:` joins the outer one,
    so a message handler may call the same use case that a route calls. On commit the aggregates are flushed
    first (row locks, version checks), then their facts go to the outbox, then everything becomes true at once.

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
        session.info["unit_of_work"] = self

    def __enter__(self) -> Self:
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            if kind is None:
                self._commit()
        finally:
            # After a commit this is a no-op that gives the connection back.
            self.session.rollback()
            self._touched = _Touched()

    def flush(self) -> None:
        """Write what has changed so far, with its facts, inside the running transaction."""
        self._flush_aggregates()
        facts = sorted(self._touched.facts, key=lambda fact: fact[1].order)
        self._touched.facts.clear()
        if facts:
            cause = current_cause()
            self._outbox.write(
                self.session, facts, cause, self._chain_of(facts, cause), self.clock.now()
            )

    def _flush_aggregates(self) -> None:
        try:
            self.session.flush()
        except StaleDataError as stale:
            raise Stale(
                "Somebody else changed the record at the same moment. Read it again and repeat your change."
            ) from stale

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail alone: its changes and facts are undone, the rest of the transaction lives."""
        kept = list(self._touched.facts)
        try:
            with self.session.begin_nested():
                yield
                self.flush()
        except BaseException:
            self._touched.facts = kept
            # Objects the failed part changed must be read afresh by the next one.
            self.session.expunge_all()
            raise

    def _commit(self) -> None:
        self.flush()
        touched = self._touched
        cause = current_cause()
        if touched.changes and cause.causation_id is None:
            self.session.execute(_INSERT_AUDIT, self._audit_rows(cause))
        if self.idempotency is not None and touched.changes:
            claim = self.idempotency
            self.session.execute(
                _INSERT_CLAIM,
                {
                    "client": claim.client,
                    "key": claim.key,
                    "fingerprint": claim.fingerprint,
                    "effects": list(touched.changes),
                    "created_at": self.clock.now(),
                },
            )
        self.session.commit()

    def _audit_rows(self, cause: Cause) -> list[dict[str, Any]]:
        now = self.clock.now()
        return [
            {"at": now, "actor": cause.actor_id, "action": cause.action, "object": object_id, "details": details}
            for object_id, details in self._touched.changes.items()
        ]

    def _chain(self) -> uuid.UUID:
        """The chain of what is changed here, for timers and commands set in the same transaction."""
        self._flush_aggregates()
        return self._chain_of(self._touched.facts, current_cause())

    @staticmethod
    def _chain_of(facts: list[tuple[AggregateRoot, Recorded]], cause: Cause) -> uuid.UUID:
        """Facts caused by a fact stay in its chain; a person's request continues the chain of the first
        aggregate it touches that has one."""
        if cause.causation_id is None:
            for aggregate, _ in facts:
                if aggregate.root_correlation_id is not None:
                    return aggregate.root_correlation_id
        return cause.correlation_id

    def _before_flush(self) -> None:
        session, now = self.session, self.clock.now()
        new = [obj for obj in session.new if isinstance(obj, AggregateRoot)]
        dirty = [obj for obj in session.dirty if isinstance(obj, AggregateRoot) and session.is_modified(obj)]
        for aggregate in (*new, *dirty):
            self._touched.facts.extend((aggregate, fact) for fact in aggregate.take_recorded())
            aggregate.updated_at = now
            self._note(aggregate)
        if new:
            # The chain is settled once, before the new aggregates get theirs from it.
            ordered = sorted(self._touched.facts, key=lambda fact: fact[1].order)
            chain = self._chain_of(ordered, current_cause())
            for aggregate in new:
                aggregate.created_at = now
                if aggregate.root_correlation_id is None:
                    aggregate.root_correlation_id = chain

    def _note(self, aggregate: AggregateRoot) -> None:
        """Remember ids and field names, never values, for the audit."""
        state = aggregate._sa_instance_state  # type: ignore[attr-defined]
        fields = () if state.key is None else state.committed_state
        details = self._touched.changes.setdefault(
            f"{aggregate.AGGREGATE}:{aggregate.id}", {"fields": [], "created": state.key is None}
        )
        details["fields"] = sorted({*details["fields"], *(str(name) for name in fields)})


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    unit_of_work: UnitOfWork | None = session.info.get("unit_of_work")
    if unit_of_work is not None:
        unit_of_work._before_flush()


@event.listens_for(AggregateRoot, "init", propagate=True)
def _give_identity(_target: AggregateRoot, _args: Any, kwargs: dict[str, Any]) -> None:
    kwargs.setdefault("id", new_id())
    kwargs.setdefault("event_no", 0)
