"""The worker: applies stored facts. It claims only the HEAD of each key, many keys in one transaction, a savepoint
each; a handler's effects, its own facts and `state = done` become true together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import Cause, caused_by
from shared.kernel.clock import Clock
from shared.messaging.consumers import Consumers
from shared.messaging.dead_letters import bury
from shared.messaging.envelope import Fact
from shared.messaging.inbox import fact_of_row
from shared.messaging.loop import Loop
from shared.messaging.retry import is_permanent, next_attempt
from shared.observability.metrics import metrics
from shared.observability.traces import process_span

__all__ = ["Worker"]

log = logging.getLogger(__name__)

BATCH = 50

# SKIP LOCKED is right here: a locked head belongs to another worker, and its followers are not heads.
_CLAIM = text("""
SELECT i.ord, i.consumer, i.source, i.event_id, i.topic, i.position, i.partition_key, i.event_type,
       i.aggregate_version, i.headers, i.payload, i.attempts, i.received_at
FROM inbox i
WHERE i.consumer = :consumer AND i.state = 'ready' AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= :now)
  AND NOT EXISTS (SELECT FROM inbox e
                  WHERE e.consumer = i.consumer AND e.topic = i.topic AND e.partition_key = i.partition_key
                    AND e.ord < i.ord AND e.state IN ('ready', 'dead'))
ORDER BY i.ord LIMIT :batch FOR UPDATE OF i SKIP LOCKED
""")
_DONE = text(
    "UPDATE inbox SET state = 'done', done_at = :now, attempts = attempts + 1, last_error = NULL"
    " WHERE ord = ANY(:ords)"
)
_AGAIN = text(
    "UPDATE inbox SET attempts = attempts + 1, next_attempt_at = :again, last_error = :error WHERE ord = :ord"
)
_DEAD = text(
    "UPDATE inbox SET state = 'dead', attempts = attempts + 1, next_attempt_at = NULL, last_error = :error"
    " WHERE ord = :ord"
)


@dataclass(frozen=True, slots=True)
class _Failure:
    row: Any
    error: Exception


class Worker(Loop):
    """Applies the facts of one consumer group with the service's handlers."""

    follows_ingest = True

    def __init__(
        self,
        consumer: str,
        consumers: Consumers,
        open_unit_of_work: Callable[[], UnitOfWork],
        clock: Clock,
        system: str,
    ) -> None:
        super().__init__("worker")
        self._consumer = consumer
        self._consumers = consumers
        self._open = open_unit_of_work
        self._clock = clock
        self._system = system

    def step(self) -> bool:
        uow = self._open()
        with uow:
            rows = uow.session.execute(
                _CLAIM, {"consumer": self._consumer, "now": self._clock.now(), "batch": BATCH}
            ).all()
            if not rows:
                return False
            failures = self._apply_all(uow, rows)
            failed = {failure.row.ord for failure in failures}
            done = [row.ord for row in rows if row.ord not in failed]
            uow.session.execute(_DONE, {"now": self._clock.now(), "ords": done})
            for failure in failures:
                self._give_back(uow, failure)
        return True

    def _apply_all(self, uow: UnitOfWork, rows: Any) -> list[_Failure]:
        failures = []
        for row in rows:
            try:
                self._apply(uow, row, fact_of_row(row))
            except Exception as error:  # noqa: BLE001 - one poisonous fact must not hold up the others
                failures.append(_Failure(row, error))
        return failures

    def _apply(self, uow: UnitOfWork, row: Any, fact: Fact) -> None:
        started = time.perf_counter()
        cause = Cause(fact.correlation_id, fact.actor_id, fact.type, causation_id=fact.id)
        outcome = "retried"
        try:
            with (
                process_span(self._system, row.topic, fact.id, fact.key, self._consumer, fact.traceparent),
                caused_by(cause),
                uow.savepoint(),
            ):
                self._consumers.apply(fact, uow)
            outcome = "done"
        finally:
            metrics.fact_handled(fact.type, outcome, time.perf_counter() - started)

    def _give_back(self, uow: UnitOfWork, failure: _Failure) -> None:
        row, error = failure.row, failure.error
        reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
        again = None if is_permanent(error) else next_attempt(row.attempts + 1, self._clock.now())
        log.warning(
            "a fact could not be applied",
            extra={
                "event_id": row.event_id,
                "event_type": row.event_type,
                "again_at": again,
                "error": reason,
            },
            exc_info=error,
        )
        if again is None:
            uow.session.execute(_DEAD, {"ord": row.ord, "error": reason})
            bury(uow, row, reason)
            metrics.dead_lettered(row.topic)
        else:
            uow.session.execute(_AGAIN, {"ord": row.ord, "error": reason, "again": again})
