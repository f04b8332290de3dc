"""The worker: applies stored facts, those of one key in order, many keys in one transaction.

It claims only the HEAD of each key, and with it what follows it: a handler's effects, its own facts and
`state = done` become true together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from shared.contracts.personal_data import is_erasure
from shared.crash_points import passing
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import Cause, caused_by
from shared.kernel.clock import Clock
from shared.messaging.consumers import Consumers
from shared.messaging.dead_letters import Letter, bury
from shared.messaging.inbox import fact_of_row
from shared.messaging.loop import Loop
from shared.messaging.retry import is_permanent, next_attempt
from shared.observability.metrics import metrics
from shared.observability.traces import process_span

__all__ = ["Worker"]

log = logging.getLogger(__name__)

KEYS = 50
BATCH = 200
BATCH_BYTES = 8 * 2**20
BATCH_SECONDS = 0.25
"""A transaction holds at most so many keys, facts and bytes, and begins no fact after so many seconds: what
its handlers have changed is locked until it ends."""

_START = ("", "")
_UNFINISHED = "state IN ('ready', 'dead') AND event_type IS NOT NULL"
_DUE = "state = 'ready' AND (next_attempt_at IS NULL OR next_attempt_at <= :now)"

# Steps from key to key through the index of unfinished rows, so the cost is that of the keys passed and not
# of the facts that wait behind them. The first row of a key is its head, whatever its state.
_HEADS = text(f"""
WITH RECURSIVE heads AS (
    (SELECT topic, partition_key, ord, state, next_attempt_at FROM inbox
     WHERE consumer = :consumer AND {_UNFINISHED} AND (topic, partition_key) > (:topic, :key)
     ORDER BY topic, partition_key, ord LIMIT 1)
    UNION ALL
    SELECT next.* FROM heads h CROSS JOIN LATERAL (
        SELECT topic, partition_key, ord, state, next_attempt_at FROM inbox
        WHERE consumer = :consumer AND {_UNFINISHED} AND (topic, partition_key) > (h.topic, h.partition_key)
        ORDER BY topic, partition_key, ord LIMIT 1) AS next
)
SELECT topic, partition_key, ord FROM heads WHERE {_DUE} LIMIT :keys
""")  # noqa: S608 - constants only

# Who holds the head holds the key. SKIP LOCKED is right here: a locked head belongs to another worker, and
# its followers are not heads. A head that another worker finished meanwhile is found out by its state.
_CLAIM = text(f"""
WITH heads AS (
    SELECT topic, partition_key, ord FROM inbox WHERE ord = ANY(:ords) AND {_DUE} FOR UPDATE SKIP LOCKED
), batch AS (
    SELECT f.* FROM heads h CROSS JOIN LATERAL (
        SELECT i.*, octet_length(i.payload) AS size FROM inbox i
        WHERE i.consumer = :consumer AND i.topic = h.topic AND i.partition_key = h.partition_key
          AND i.ord >= h.ord AND {_UNFINISHED}
        ORDER BY i.ord LIMIT (SELECT greatest(1, :batch / count(*)) FROM heads)) AS f
)
SELECT * FROM (SELECT *, sum(size) OVER (ORDER BY ord) AS bytes, {_DUE} AS due FROM batch) AS b
WHERE bytes - size <= :bytes ORDER BY ord
""")  # noqa: S608 - constants only
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
# What was kept of a person who is to be forgotten: rows of one key, through the index of personal facts. With
# `done_at` none of them is worked on when it comes again.
_FORGET = text("""
UPDATE inbox SET payload = convert_to('{}', 'UTF8'), done_at = coalesce(done_at, :now)
WHERE partition_key = :key AND headers ->> 'ce_dataclass' = 'pii' AND consumer = :consumer AND topic = :topic
  AND ord < :ord AND state IN ('done', 'skipped')
""")


@dataclass(frozen=True, slots=True)
class _Failure:
    row: Row[Any]
    error: Exception
    seconds: float


class _HandlerFailed(Exception):
    """A handler failed in a batch that has no savepoints."""


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
        # Keys are taken in turn, so that none waits for ever behind those that sort before it.
        self._after = _START

    def step(self) -> bool:
        """Apply the next batch. It is tried without savepoints, which cost more than most handlers do; when a
        fact fails, all of it is rolled back and done again with one around each fact."""
        try:
            return self._work(with_savepoints=False)
        except _HandlerFailed:
            return self._work(with_savepoints=True)

    def _work(self, *, with_savepoints: bool) -> bool:
        uow = self._open()
        with uow:
            heads = self._find_heads(uow)
            rows = self._claim(uow, heads) if heads else []
            if rows:
                self._apply_all(uow, rows, with_savepoints=with_savepoints)
        if rows:
            passing("H3")
        before, self._after = self._after, _START
        if len(heads) == KEYS:
            self._after = (heads[-1].topic, heads[-1].partition_key)
        # At the end of a round there is more to do, perhaps, for the keys before the one it began with.
        return bool(rows) or before != self._after

    def _find_heads(self, uow: UnitOfWork) -> Sequence[Row[Any]]:
        topic, key = self._after
        return uow.session.execute(
            _HEADS,
            {
                "consumer": self._consumer,
                "topic": topic,
                "key": key,
                "now": self._clock.now(),
                "keys": KEYS,
            },
        ).all()

    def _claim(self, uow: UnitOfWork, heads: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
        return uow.session.execute(
            _CLAIM,
            {
                "consumer": self._consumer,
                "ords": [head.ord for head in heads],
                "now": self._clock.now(),
                "batch": BATCH,
                "bytes": BATCH_BYTES,
            },
        ).all()

    def _apply_all(self, uow: UnitOfWork, rows: Sequence[Row[Any]], *, with_savepoints: bool) -> None:
        done: list[tuple[Row[Any], float]] = []
        failures: list[_Failure] = []
        blocked: set[tuple[str, str]] = set()
        ends_at = time.monotonic() + BATCH_SECONDS
        for row in rows:
            key = (row.topic, row.partition_key)
            if not row.due or key in blocked:
                blocked.add(key)
                continue
            if (done or failures) and (self.stopping or time.monotonic() >= ends_at):
                break
            started = time.perf_counter()
            try:
                self._apply(uow, row, with_savepoint=with_savepoints)
            except Exception as error:  # one poisonous fact must not hold up the others
                if not with_savepoints:
                    raise _HandlerFailed from error
                failures.append(_Failure(row, error, time.perf_counter() - started))
                blocked.add(key)
            else:
                done.append((row, time.perf_counter() - started))
        uow.session.execute(_DONE, {"now": self._clock.now(), "ords": [row.ord for row, _ in done]})
        for row, _ in done:
            if is_erasure(row.event_type):
                whose = {"consumer": self._consumer, "topic": row.topic, "key": row.partition_key}
                uow.session.execute(_FORGET, {**whose, "ord": row.ord, "now": self._clock.now()})
        for failure in failures:
            self._give_back(uow, failure)
        for row, seconds in done:
            metrics.fact_handled(row.event_type, "done", seconds)

    def _apply(self, uow: UnitOfWork, row: Row[Any], *, with_savepoint: bool) -> None:
        fact = fact_of_row(row)
        cause = Cause(fact.correlation_id, fact.actor_id, fact.type, causation_id=fact.id)
        with (
            process_span(self._system, row.topic, fact.id, fact.key, self._consumer, fact.traceparent),
            caused_by(cause),
            uow.savepoint() if with_savepoint else nullcontext(),
        ):
            passing("H1")
            self._consumers.apply(fact, uow)
            passing("H2")
            # Its facts are written while it is their cause.
            uow.flush()

    def _give_back(self, uow: UnitOfWork, failure: _Failure) -> None:
        row, error = failure.row, failure.error
        reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
        now = self._clock.now()
        again = None if is_permanent(error) else next_attempt(row.attempts + 1, now)
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
            bury(uow.session.connection().exec_driver_sql, _letter(row), reason, now)
        else:
            uow.session.execute(_AGAIN, {"ord": row.ord, "error": reason, "again": again})
        metrics.fact_handled(row.event_type, "retried" if again else "dead", failure.seconds)


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        consumer=row.consumer,
        source=row.source,
        event_id=row.event_id,
        event_type=row.event_type,
        topic=row.topic,
        position=row.position,
        partition_key=row.partition_key,
        correlation_id=row.correlation_id,
        headers=row.headers,
        payload=bytes(row.payload),
        attempts=row.attempts + 1,
    )
