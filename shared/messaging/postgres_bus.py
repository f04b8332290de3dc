"""The embedded broker: an append-only log in a PostgreSQL database of its own.

Records are appended under one advisory lock, so positions follow commit order and a reader that saw position n
can miss nothing below it. A group has one active reader; others of the group stand by. LISTEN wakes readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from shared.crash_points import passing
from shared.db.engine import connect
from shared.messaging.transport import (
    BusUnavailable,
    OutgoingRecord,
    Publisher,
    ReceivedRecord,
    RecordRefused,
    Subscriber,
    Withheld,
    refuse_oversize,
)

__all__ = ["PostgresBus", "create_log"]

APPEND_LOCK = 0x63726D_627573  # "crm" "bus"
BATCH = 1_000
BATCH_BYTES = 16 * 2**20

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value bytea NOT NULL,
    appended_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS ix_log_topic_position ON log (topic, position);
CREATE INDEX IF NOT EXISTS ix_log_appended_at ON log USING brin (appended_at);
CREATE TABLE IF NOT EXISTS group_offsets (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (consumer_group, topic)
);
"""
_APPEND = """
INSERT INTO log (topic, key, headers, value)
SELECT r.topic, r.key, r.headers, r.value
FROM unnest(%b::text[], %b::text[], %b::jsonb[], %b::bytea[]) WITH ORDINALITY AS r (topic, key, headers, value, n)
ORDER BY r.n
"""
_COLUMNS = "position, topic, key, headers, value, appended_at"
# A batch ends with the record that fills it, so large values do not add up to more than the memory holds.
_FETCH = f"""
SELECT {_COLUMNS} FROM (
    SELECT l.*, sum(octet_length(l.value)) OVER (ORDER BY l.position) - octet_length(l.value) AS bytes_before
    FROM unnest(%s::text[], %s::bigint[]) AS s (topic, after)
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM log WHERE log.topic = s.topic AND log.position > s.after
        ORDER BY log.position LIMIT {BATCH}
    ) AS l ORDER BY l.position LIMIT {BATCH}
) AS batch WHERE bytes_before < {BATCH_BYTES} ORDER BY position
"""  # noqa: S608 - constants only
_READ = f"""
SELECT {_COLUMNS} FROM (
    SELECT l.*, sum(octet_length(l.value)) OVER (ORDER BY l.position) - octet_length(l.value) AS bytes_before
    FROM (
        SELECT {_COLUMNS} FROM log
        WHERE topic = %(topic)s AND position > %(after)s AND position <= %(end)s
          AND (%(since)s::timestamptz IS NULL OR appended_at >= %(since)s)
          AND (%(key)s::text IS NULL OR key = %(key)s)
        ORDER BY position LIMIT {BATCH}
    ) AS l
) AS batch WHERE bytes_before < {BATCH_BYTES} ORDER BY position
"""  # noqa: S608 - constants only
# Positions follow time, so the first record that is young enough is where the old ones end.
_EXPIRE = f"""
DELETE FROM log WHERE position IN (
    SELECT position FROM log
    WHERE topic = %(topic)s AND position < coalesce(
        (SELECT position FROM log WHERE topic = %(topic)s AND appended_at >= %(before)s ORDER BY position LIMIT 1),
        {2**63 - 1})
    ORDER BY position LIMIT {BATCH})
"""  # noqa: S608 - constants only


def create_log(url: str) -> None:
    """Create the log in the database at `url` where it is not there yet."""
    with connect(url, application="bus set-up", autocommit=True) as connection:
        connection.execute(_SCHEMA)


def _connect(url: str, name: str) -> psycopg.Connection:
    try:
        return connect(url, application=name, autocommit=True)
    except psycopg.OperationalError as error:
        raise BusUnavailable(f"the bus database cannot be reached: {error}") from error


def _received(row: tuple[int, str, str, dict[str, str], bytes, datetime]) -> ReceivedRecord:
    position, topic, key, headers, value, appended_at = row
    return ReceivedRecord(topic, 0, position, key, headers, value, appended_at)


class PostgresBus:
    """The log at `url` as a transport."""

    def __init__(self, url: str) -> None:
        self._url = url

    def publisher(self) -> Publisher:
        return _LogPublisher(_connect(self._url, "bus publisher"))

    def subscriber(self, group: str, topics: Sequence[str]) -> Subscriber:
        return _LogSubscriber(_connect(self._url, f"bus {group}"), group, topics)

    def read(
        self, topic: str, *, since: datetime | None = None, key: str | None = None
    ) -> Iterator[ReceivedRecord]:
        with _connect(self._url, "bus reader") as connection:
            row = connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
            end, after = row[0] if row else 0, 0
            while True:
                rows = connection.execute(
                    _READ, {"topic": topic, "after": after, "end": end, "since": since, "key": key}
                ).fetchall()
                if not rows:
                    return
                yield from map(_received, rows)
                after = rows[-1][0]

    def expire(self, topic: str, before: datetime) -> int:
        """Delete what was appended to `topic` before that time; how many records went. Kafka does this itself.

        Raises BusUnavailable.
        """
        deleted = 0
        with _connect(self._url, "bus retention") as connection:
            try:
                while (went := connection.execute(_EXPIRE, {"topic": topic, "before": before}).rowcount) > 0:
                    deleted += went
            except psycopg.OperationalError as error:
                raise BusUnavailable(str(error)) from error
        return deleted


class _LogPublisher:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def publish(self, records: Sequence[OutgoingRecord]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        accepted: list[OutgoingRecord] = []
        failed_keys: set[tuple[str, str]] = set()
        for record in records:
            outcome: RecordRefused | Withheld | None = refuse_oversize(record)
            if outcome is None and (record.topic, record.key) in failed_keys:
                outcome = Withheld("an earlier record of this key was refused")
            if outcome is None:
                accepted.append(record)
            else:
                failed_keys.add((record.topic, record.key))
            outcomes.append(outcome)
        if accepted:
            self._append(accepted)
        return outcomes

    def _append(self, records: Sequence[OutgoingRecord]) -> None:
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
                cursor.execute(
                    _APPEND,
                    (
                        [r.topic for r in records],
                        [r.key for r in records],
                        [Jsonb(dict(r.headers)) for r in records],
                        [r.value for r in records],
                    ),
                )
                for topic in {r.topic for r in records}:
                    cursor.execute("SELECT pg_notify('bus', %s)", (topic,))
                passing("R1")
        except psycopg.OperationalError as error:
            raise BusUnavailable(str(error)) from error

    def close(self) -> None:
        self._connection.close()


class _LogSubscriber:
    def __init__(self, connection: psycopg.Connection, group: str, topics: Sequence[str]) -> None:
        self._connection = connection
        self._group = group
        self._topics = list(topics)
        self._positions: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._active = False
        connection.execute("LISTEN bus")

    def poll(self, timeout: float) -> list[ReceivedRecord]:
        try:
            if not self._active and not self._take_over():
                self._wait(timeout)
                return []
            records = self._fetch()
            if not records and self._wait(timeout):
                records = self._fetch()
            return records
        except psycopg.OperationalError as error:
            raise BusUnavailable(str(error)) from error

    def _take_over(self) -> bool:
        """Become the group's reader, if nobody is. The lock ends with the session, so it cannot be left behind."""
        row = self._connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended('bus group ' || %s, 0))", (self._group,)
        ).fetchone()
        self._active = bool(row and row[0])
        if self._active:
            stored = self._connection.execute(
                "SELECT topic, position FROM group_offsets WHERE consumer_group = %s", (self._group,)
            ).fetchall()
            self._positions = dict.fromkeys(self._topics, 0) | {
                topic: position for topic, position in stored if topic in self._topics
            }
            self._committed = dict(self._positions)
        return self._active

    def _fetch(self) -> list[ReceivedRecord]:
        rows = self._connection.execute(
            _FETCH, (list(self._positions), list(self._positions.values())), prepare=True
        ).fetchall()
        for row in rows:
            self._positions[row[1]] = row[0]
        return [_received(row) for row in rows]

    def _wait(self, timeout: float) -> bool:
        """Wait for a notice about one of our topics; False when the time is over."""
        return any(
            notice.payload in self._topics
            for notice in self._connection.notifies(timeout=timeout, stop_after=1)
        )

    def commit(self) -> None:
        moved = {t: p for t, p in self._positions.items() if p != self._committed.get(t)}
        if not moved:
            return
        try:
            self._connection.execute(
                "INSERT INTO group_offsets SELECT %s, s.topic, s.position"
                " FROM unnest(%s::text[], %s::bigint[]) AS s (topic, position)"
                " ON CONFLICT (consumer_group, topic) DO UPDATE SET position = excluded.position",
                (self._group, list(moved), list(moved.values())),
            )
        except psycopg.OperationalError as error:
            raise BusUnavailable(str(error)) from error
        self._committed.update(moved)

    def lag(self) -> dict[tuple[str, int], int]:
        try:
            rows = self._connection.execute(
                "SELECT s.topic, (SELECT count(*) FROM log WHERE log.topic = s.topic AND log.position > s.position)"
                " FROM unnest(%s::text[], %s::bigint[]) AS s (topic, position)",
                (self._topics, [self._committed.get(topic, 0) for topic in self._topics]),
            ).fetchall()
        except psycopg.OperationalError as error:
            raise BusUnavailable(str(error)) from error
        return {(topic, 0): waiting for topic, waiting in rows}

    def close(self) -> None:
        self._connection.close()
