"""The relay: carries committed facts from the outbox to the broker, in order per key, at least once.

It reads the pending SET, never a cursor: sequence numbers are handed out before commit, so `seq > last` would
skip the row of a slow transaction. One relay leads per service, through an advisory lock held by the same session
that marks rows as published; should two lead for a moment, records may be sent twice but never reordered or lost.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from shared.crash_points import passing
from shared.db.engine import connect
from shared.messaging.loop import Loop
from shared.messaging.retry import relay_delay
from shared.messaging.transport import OutgoingRecord, Publisher, RecordRefused, Withheld
from shared.observability.metrics import metrics
from shared.observability.traces import send_spans

__all__ = ["Relay"]

log = logging.getLogger(__name__)

LEADER_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('outbox relay', 0))"
BATCH = 500
BATCH_BYTES = 16 * 2**20

# A key of which one fact waits (backing off, or parked) waits as a whole. The waiting keys are found once, through
# an index of their own, so the rest is read in order and no further than the batch goes.
_PENDING = """
SELECT seq, event_id, topic, partition_key, headers, payload, attempts
FROM (
    SELECT o.*, sum(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS bytes_before
    FROM (
        SELECT seq, event_id, topic, partition_key, headers, payload, attempts FROM outbox
        WHERE published_at IS NULL AND parked_at IS NULL
          AND topic || ' ' || partition_key <> ALL (ARRAY(
              SELECT DISTINCT topic || ' ' || partition_key FROM outbox
              WHERE published_at IS NULL AND (parked_at IS NOT NULL OR next_attempt_at IS NOT NULL)
                AND (parked_at IS NOT NULL OR next_attempt_at > clock_timestamp())))
        ORDER BY seq LIMIT %s
    ) AS o
) AS batch
WHERE bytes_before < %s ORDER BY seq
"""
_MARK = "UPDATE outbox SET published_at = clock_timestamp(), last_error = NULL WHERE seq = ANY(%s)"
_BACK_OFF = """
UPDATE outbox SET attempts = attempts + 1, last_error = %s,
                  next_attempt_at = clock_timestamp() + make_interval(secs => %s) WHERE seq = %s
"""
_PARK = (
    "UPDATE outbox SET attempts = attempts + 1, last_error = %s, parked_at = clock_timestamp() WHERE seq = %s"
)


class Relay(Loop):
    """`database_url`: the service's own database; `open_publisher` makes a client of the broker."""

    def __init__(self, database_url: str, open_publisher: Callable[[], Publisher], system: str) -> None:
        super().__init__("relay")
        self._url = database_url
        self._open_publisher = open_publisher
        self._system = system
        self._connection: psycopg.Connection[Any] | None = None
        self._publisher: Publisher | None = None
        self.leads = False

    def step(self) -> bool:
        connection = self._connect()
        if not self.leads:
            row = connection.execute(LEADER_LOCK).fetchone()
            self.leads = bool(row and row[0])
            metrics.relay_leads(self.leads)
            if not self.leads:
                return False
        rows = connection.execute(_PENDING, (BATCH, BATCH_BYTES)).fetchall()
        if not rows:
            return False
        if self._publisher is None:
            self._publisher = self._open_publisher()
        outcomes = self._send(self._publisher, rows)
        passing("R2")
        self._settle(connection, rows, outcomes)
        passing("R3")
        return True

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = connect(
                self._url, application="relay", autocommit=True, row_factory=namedtuple_row
            )
        return self._connection

    def _send(self, publisher: Publisher, rows: Sequence[Any]) -> list[Exception | None]:
        messages = (
            (row.topic, str(row.event_id), row.partition_key, row.headers.get("traceparent")) for row in rows
        )
        with send_spans(self._system, messages):
            return publisher.publish(
                [
                    OutgoingRecord(row.topic, row.partition_key, row.headers, bytes(row.payload))
                    for row in rows
                ]
            )

    def _settle(
        self, connection: psycopg.Connection[Any], rows: Sequence[Any], outcomes: list[Exception | None]
    ) -> None:
        sent = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        connection.execute(_MARK, ([row.seq for row in sent],))
        for event_type, count in Counter(row.headers["ce_type"] for row in sent).items():
            metrics.facts_sent(event_type, count)
        for row, outcome in zip(rows, outcomes, strict=True):
            match outcome:
                case None | Withheld():
                    continue
                case RecordRefused():
                    connection.execute(_PARK, (str(outcome), row.seq))
                    log.error(
                        "a fact was refused by the broker for good; its key is parked",
                        extra={
                            "event_id": str(row.event_id),
                            "key": row.partition_key,
                            "error": str(outcome),
                        },
                    )
                case _:
                    delay = relay_delay(row.attempts + 1)
                    connection.execute(_BACK_OFF, (str(outcome)[:2000], delay, row.seq))

    def recover(self) -> None:
        self._drop()

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        self.leads = False
        metrics.relay_leads(False)
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
