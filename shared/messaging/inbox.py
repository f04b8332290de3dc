"""The inbox: what has arrived, stored before it is worked on; a second delivery of a fact changes nothing."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import DateTime, select
from sqlalchemy.orm import Session

from shared.db.plumbing import INBOX
from shared.messaging.dead_letters import Letter, bury
from shared.messaging.envelope import Fact, Undecodable, fact_from_record
from shared.messaging.transport import ReceivedRecord

__all__ = ["Inbox", "Stored", "chain_of_received"]

# One statement for a whole batch. Rows of one key arrive in order, so `ord` keeps it.
_STORE = """
INSERT INTO inbox (consumer, source, event_id, topic, position, partition_key, event_type, aggregate_version,
                   correlation_id, headers, payload, state, last_error)
SELECT %(consumer)s, r.*
FROM unnest(%(source)b::text[], %(event_id)b::text[], %(topic)b::text[], %(position)b::text[],
            %(partition_key)b::text[], %(event_type)b::text[], %(aggregate_version)b::bigint[],
            %(correlation_id)b::uuid[], %(headers)b::jsonb[], %(payload)b::bytea[], %(state)b::text[],
            %(last_error)b::text[]) AS r
ON CONFLICT (consumer, source, event_id) DO NOTHING
RETURNING topic, source, event_id, state
"""
# A fact that nobody handled when it came is worked on when it comes again and somebody does; what a person skipped
# (it is done) stays so.
_REVIVE = """
UPDATE inbox SET state = 'ready'
FROM unnest(%(source)b::text[], %(event_id)b::text[]) AS r (source, event_id)
WHERE inbox.consumer = %(consumer)s AND inbox.source = r.source AND inbox.event_id = r.event_id
  AND inbox.state = 'skipped' AND inbox.done_at IS NULL AND inbox.event_type = ANY(%(types)s)
RETURNING inbox.topic
"""
_COLUMNS = (
    "source",
    "event_id",
    "topic",
    "position",
    "partition_key",
    "event_type",
    "aggregate_version",
    "correlation_id",
    "headers",
    "payload",
    "state",
    "last_error",
)


_UNDECODABLE = "undecodable"
# Ids and keys stand in indexes, whose entries are limited, and in columns with a range.
_LONGEST = 255
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch: how many were new, revived ones among them, and by topic how many were known already."""

    new: int
    duplicates: Mapping[str, int]

    @classmethod
    def count(cls, records: Sequence[ReceivedRecord], new_topics: Iterable[str]) -> Stored:
        """The outcome of storing `records`, of which those of `new_topics` (one entry a record) were new."""
        new = Counter(new_topics)
        return cls(new.total(), Counter(record.topic for record in records) - new)


@dataclass(frozen=True)
class Inbox:
    """The inbox of one consumer group. `types` have a handler; facts of other types are kept as skipped, until they
    come again (a replay brings them) and their type has got one."""

    consumer: str
    types: Collection[str]

    def store(
        self, connection: psycopg.Connection[Any], records: Sequence[ReceivedRecord], now: datetime
    ) -> Stored:
        """Store a batch inside the caller's transaction. Bytes that are no event are dead at once."""
        rows = [self._row(record) for record in records]
        columns = {name: [row[i] for row in rows] for i, name in enumerate(_COLUMNS)}
        new = connection.execute(_STORE, {"consumer": self.consumer, **columns}).fetchall()
        topics = [topic for topic, *_ in new]
        if len(new) < len(rows):
            topics += self._revive(connection, columns)
        dead = {event_id for _, _, event_id, state in new if state == "dead"}
        for record, row in zip(records, rows, strict=True):
            if row[0] == _UNDECODABLE and row[1] in dead:
                bury(connection.execute, self._letter(record, row), row[-1], now)
        return Stored.count(records, topics)

    def _revive(self, connection: psycopg.Connection[Any], columns: Mapping[str, Sequence[Any]]) -> list[str]:
        """The topics of the facts known already that are to be worked on now, one entry a fact."""
        given = {**columns, "consumer": self.consumer, "types": list(self.types)}
        return [topic for (topic,) in connection.execute(_REVIVE, given)]

    def _row(self, record: ReceivedRecord) -> tuple[Any, ...]:
        try:
            fact = fact_from_record(record)
            _check_storable(fact, record)
        except Undecodable as error:
            return self._undecodable(record, str(error))
        return (
            fact.source,
            fact.id,
            record.topic,
            record.position,
            fact.key,
            fact.type,
            fact.version,
            fact.correlation_id,
            Jsonb(dict(record.headers)),
            record.value,
            "ready" if fact.type in self.types else "skipped",
            None,
        )

    @staticmethod
    def _undecodable(record: ReceivedRecord, reason: str) -> tuple[Any, ...]:
        """Bytes that are no event are kept as they came, under an id made of their position. They get a key
        of their own, so they block nothing."""
        event_id = f"{record.topic}:{record.position}"
        return (
            _UNDECODABLE,
            event_id,
            record.topic,
            record.position,
            event_id,
            None,
            None,
            None,
            Jsonb(_shown(record.headers)),
            record.value,
            "dead",
            _without_nul(reason[:2000]),
        )

    def _letter(self, record: ReceivedRecord, row: tuple[Any, ...]) -> Letter:
        return Letter(
            consumer=self.consumer,
            source=_UNDECODABLE,
            event_id=row[1],
            event_type=None,
            topic=record.topic,
            position=record.position,
            partition_key=row[1],
            correlation_id=None,
            headers=_shown(record.headers),
            payload=record.value,
            attempts=1,
        )


def _check_storable(fact: Fact, record: ReceivedRecord) -> None:
    """Raises Undecodable for an event that the tables cannot hold: it would stop everything behind it."""
    named = {"ce_source": fact.source, "ce_id": fact.id, "ce_partitionkey": fact.key, "ce_type": fact.type}
    for header, value in named.items():
        if not 0 < len(value) <= _LONGEST:
            raise Undecodable(f"the header {header} is empty or has more than {_LONGEST} characters")
    if not 0 <= fact.version <= _LARGEST_VERSION:
        raise Undecodable("the header ce_aggregateversion is out of range")
    if any("\0" in name or "\0" in value for name, value in record.headers.items()):
        raise Undecodable("a header holds a NUL character")


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers in which PostgreSQL's jsonb finds no U+0000."""
    return {_without_nul(name): _without_nul(value) for name, value in headers.items()}


def _without_nul(value: str) -> str:
    return value.replace("\0", "\\0")


def fact_of_row(row: Any) -> Fact:
    """The fact in an inbox row. Raises Undecodable."""
    return fact_from_record(
        ReceivedRecord(row.topic, 0, 0, row.partition_key, row.headers, bytes(row.payload), row.received_at)
    )


_CHAIN = (
    "consumer",
    "source",
    "event_id",
    "event_type",
    "topic",
    "partition_key",
    "aggregate_version",
    "state",
    "attempts",
    "next_attempt_at",
    "last_error",
    "received_at",
    "done_at",
)


def chain_of_received(session: Session, correlation_id: uuid.UUID) -> list[dict[str, Any]]:
    """What this service heard in a chain, in the order of arrival: ids, states, times (`occurred_at` as
    told)."""
    occurred_at = INBOX.c.headers["ce_time"].astext.cast(DateTime(timezone=True)).label("occurred_at")
    query = select(*(INBOX.c[name] for name in _CHAIN), occurred_at)
    rows = session.execute(query.where(INBOX.c.correlation_id == correlation_id).order_by(INBOX.c.ord))
    return [dict(row) for row in rows.mappings()]
