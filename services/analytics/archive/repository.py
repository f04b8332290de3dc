"""Store arriving records in the archive, and read it by position."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg import sql
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from services.analytics.archive.erasure import without_personal_data
from services.analytics.archive.months import Month, month_of
from services.analytics.projection import ArchivedFact
from shared.contracts.personal_data import is_erasure
from shared.messaging.envelope import Fact, Undecodable, fact_from_record
from shared.messaging.inbox import Stored
from shared.messaging.transport import ReceivedRecord

__all__ = ["Archive", "Arrival", "facts_after", "facts_of_key"]

APPEND_LOCK = 0x63726D_617263
"""Held while rows are inserted: so positions follow commit order, and who has read up to p misses nothing."""

_EARLIEST, _LATEST = 1000, 9000
"""Years of instants that PostgreSQL and Python both hold, whatever the zone."""

_COLUMNS = {
    "event_id": "uuid",
    "source": "text",
    "type": "text",
    "aggregate_type": "text",
    "aggregate_id": "text",
    "aggregate_version": "bigint",
    "occurred_at": "timestamptz",
    "effective_at": "timestamptz",
    "correlation_id": "uuid",
    "causation_id": "text",
    "actor_id": "text",
    "dataclass": "text",
    "topic": "text",
    "headers": "bytea",
    "payload": "bytea",
    "state": "text",
    "reason": "text",
}


def _format(kind: str) -> str:
    """How psycopg sends an array: as text what is text anyway, the rest in binary, because in an array of texts
    every quote and backslash would be escaped on its way."""
    return "s" if kind in ("text", "bigint") else "b"


_VALUES = {"headers": "convert_from(r.headers, 'UTF8')::jsonb"}
_STORE = f"""
INSERT INTO archive (position, recorded_at, {", ".join(_COLUMNS)})
SELECT nextval('archive_position'), %(now)s, {", ".join(_VALUES.get(name, f"r.{name}") for name in _COLUMNS)}
FROM (SELECT * FROM unnest({", ".join(f"%({name}){_format(kind)}::{kind}[]" for name, kind in _COLUMNS.items())})
      WITH ORDINALITY AS u ({", ".join(_COLUMNS)}, n) ORDER BY n) AS r
ON CONFLICT (event_id, source) DO NOTHING
RETURNING topic
"""  # noqa: S608 - constants only
_MISSING_MONTHS = "SELECT m FROM unnest(%s::text[]) AS m WHERE to_regclass('archive_' || m) IS NULL"
_CREATE_MONTH = sql.SQL("CREATE TABLE {} PARTITION OF archive FOR VALUES FROM ({}) TO ({})")

_OF_AGGREGATES = """
SELECT event_id, source, type, dataclass, payload FROM archive
WHERE aggregate_id = ANY(%s) AND state = 'stored' FOR UPDATE
"""
_BLANK = (
    "UPDATE archive SET payload = %s, erased_at = coalesce(erased_at, %s) WHERE event_id = %s AND source = %s"
)

_FACT = """
SELECT position, event_id::text, source, type, aggregate_id, aggregate_version, occurred_at, effective_at,
       correlation_id::text, actor_id, {payload}
FROM archive
"""
_AFTER = text(
    _FACT.format(
        payload="CASE WHEN state = 'stored' AND type LIKE ANY(:patterns) THEN payload END AS payload"
    )
    + " WHERE position > :after AND position <= :up_to ORDER BY position LIMIT :limit"
)
_OF_KEY = text(
    _FACT.format(payload="payload")
    + " WHERE aggregate_id = :aggregate_id AND position BETWEEN :first AND :last AND state = 'stored'"
    " ORDER BY position"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it came, and the fact in it; or why there is none."""

    record: ReceivedRecord
    fact: Fact | None
    reason: str | None = None

    @classmethod
    def of(cls, record: ReceivedRecord) -> Arrival:
        """Decode a record."""
        try:
            fact = fact_from_record(record)
            _check(fact, record)
        except Undecodable as error:
            return cls(record, None, str(error))
        return cls(record, fact)


@dataclass(frozen=True)
class Archive:
    """The log of all facts; it is also what makes a second delivery harmless."""

    def append(
        self, connection: psycopg.Connection[Any], arrivals: Sequence[Arrival], now: datetime
    ) -> Stored:
        """Append a batch inside the caller's transaction; what is there already is left alone, but for what a fact in
        the batch says is to be forgotten."""
        rows = [_row(arrival) for arrival in arrivals]
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        _make_room(connection, {month for row in rows if (month := month_of(row[0]))})
        columns = {name: [row[i] for row in rows] for i, name in enumerate(_COLUMNS)}
        new = connection.execute(_STORE, {"now": now, **columns}).fetchall()
        facts = [arrival.fact for arrival in arrivals if arrival.fact is not None]
        forgotten = {fact.subject for fact in facts if is_erasure(fact.type)}
        if forgotten:
            _forget(connection, forgotten, now)
        return Stored.count([arrival.record for arrival in arrivals], (topic for (topic,) in new))


def _forget(connection: psycopg.Connection[Any], aggregate_ids: set[str], now: datetime) -> None:
    """Blank what is personal in all facts of these aggregates."""
    rows = connection.execute(_OF_AGGREGATES, (sorted(aggregate_ids),)).fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            _BLANK,
            [
                (without_personal_data(fact_type, data_class, bytes(payload)), now, event_id, source)
                for event_id, source, fact_type, data_class, payload in rows
                if not is_erasure(fact_type)
            ],
        )


def _make_room(connection: psycopg.Connection[Any], months: set[Month]) -> None:
    """Create the partitions of months that no fact has come from yet."""
    by_name = {month.name: month for month in months}
    for (name,) in connection.execute(_MISSING_MONTHS, (list(by_name),)).fetchall():
        month = by_name[name]
        connection.execute(
            _CREATE_MONTH.format(
                sql.Identifier(f"archive_{name}"), sql.Literal(str(month.low)), sql.Literal(str(month.high))
            )
        )


def _row(arrival: Arrival) -> tuple[Any, ...]:
    record, fact = arrival.record, arrival.fact
    if fact is None:
        return _undecodable(record, arrival.reason or "")
    parts = fact.type.split(".")
    return (
        _id(fact.id, fact.source),
        fact.source,
        fact.type,
        parts[2] if len(parts) > 2 else fact.type,
        fact.subject,
        fact.version,
        fact.time,
        _effective_at(fact),
        fact.correlation_id,
        fact.causation_id,
        fact.actor_id,
        record.headers.get("ce_dataclass"),
        record.topic,
        orjson.dumps(dict(record.headers)),
        record.value,
        "stored",
        None,
    )


def _check(fact: Fact, record: ReceivedRecord) -> None:
    """Raises Undecodable for what no column here can hold: it must not stop what comes after it."""
    if any("\0" in value for value in record.headers.values()):
        raise Undecodable("a header has a NUL character")
    if not 0 <= fact.version < 2**63:
        raise Undecodable(f"the aggregate's version {fact.version} is out of range")
    if not _is_plausible(fact.time):
        raise Undecodable(f"the time {fact.time.isoformat()} is out of range")


def _is_plausible(instant: datetime) -> bool:
    return instant.tzinfo is not None and _EARLIEST <= instant.year <= _LATEST


def _undecodable(record: ReceivedRecord, reason: str) -> tuple[Any, ...]:
    """Bytes that are no event are kept as they came, under an id made of their place."""
    # PostgreSQL's jsonb cannot hold U+0000; a header that has it is shown escaped.
    headers = {
        name.replace("\0", "\\0"): value.replace("\0", "\\0") for name, value in record.headers.items()
    }
    nothing = (None,) * 10
    return (
        _id(record.position, record.topic),
        "undecodable",
        *nothing,
        record.topic,
        orjson.dumps(headers),
        record.value,
        "undecodable",
        reason[:2000].replace("\0", "\\0"),
    )


def _id(given: str, source: str) -> uuid.UUID:
    """The id as a UUID; one made of the given id where that is none."""
    try:
        return uuid.UUID(given)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{source}#{given}")


def _effective_at(fact: Fact) -> datetime:
    """The business time that the fact names: an imported one happened long before it was recorded."""
    try:
        named = datetime.fromisoformat(fact.data["effective_at"])
    except (KeyError, TypeError, ValueError):
        return fact.time
    return named if _is_plausible(named) else fact.time


def facts_after(
    session: Session, position: int, limit: int, reads: Iterable[str], *, up_to: int = 2**63 - 1
) -> tuple[list[ArchivedFact], int]:
    """Look at the next `limit` rows after `position`, but not beyond `up_to`: the facts among them whose types begin
    with one of `reads`, and the position of the last row."""
    patterns = [f"{prefix}%" for prefix in reads]
    arguments = {"after": position, "up_to": up_to, "limit": limit, "patterns": patterns}
    rows = session.execute(_AFTER, arguments).all()
    return [_fact(row) for row in rows if row.payload is not None], rows[-1].position if rows else position


def facts_of_key(session: Session, key: str, first: int, last: int) -> list[ArchivedFact]:
    """The facts of one key from position `first` to `last`, both included, in order."""
    query: TextClause = _OF_KEY
    arguments = {"aggregate_id": key.partition("/")[2], "first": first, "last": last}
    return [fact for row in session.execute(query, arguments) if (fact := _fact(row)).key == key]


def _fact(row: Any) -> ArchivedFact:
    return ArchivedFact(
        row.position,
        row.event_id,
        row.source,
        row.type,
        row.aggregate_id,
        row.aggregate_version,
        row.occurred_at,
        row.effective_at,
        row.correlation_id,
        row.actor_id,
        bytes(row.payload),
    )
