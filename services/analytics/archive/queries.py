"""Ask the archive: where it ends, what it holds, how long facts took to get here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.kernel.errors import Invalid

__all__ = ["archived_events", "head", "latencies", "position_of", "waiting_since"]

_EVENTS = """
SELECT position, event_id, source, type, aggregate_type, aggregate_id, aggregate_version, occurred_at,
       effective_at, recorded_at, correlation_id, causation_id, actor_id, state, reason, erased_at, payload
FROM archive WHERE position > :after {conditions} ORDER BY position LIMIT :limit
"""
_FILTERS = ("correlation_id", "aggregate_id", "type", "state")

_LATENCIES = """
SELECT type, count(*) AS n,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99, max(ms) AS max
FROM (SELECT type, extract(epoch FROM recorded_at - occurred_at) * 1000.0 AS ms FROM archive
      WHERE state = 'stored' {conditions}) AS delays
GROUP BY GROUPING SETS ((type), ()) HAVING count(*) > 0 ORDER BY type NULLS FIRST
"""


def head(session: Session) -> int:
    """The position of the newest row, 0 in an empty archive."""
    return session.scalar(text("SELECT coalesce(max(position), 0) FROM archive")) or 0


def waiting_since(session: Session, position: int) -> datetime | None:
    """When the oldest row after `position` was recorded; None where there is none."""
    query = text("SELECT recorded_at FROM archive WHERE position > :position ORDER BY position LIMIT 1")
    return session.scalar(query, {"position": position})


def position_of(session: Session, event_id: uuid.UUID) -> int | None:
    """Where a fact lies; None while it has not arrived."""
    return session.scalar(text("SELECT min(position) FROM archive WHERE event_id = :id"), {"id": event_id})


def archived_events(
    session: Session, filters: Mapping[str, Any], *, after: int, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """A page of archived rows after the position `after`, with their data, and where the next page begins."""
    given = {name: filters[name] for name in _FILTERS if filters.get(name) is not None}
    conditions = "".join(f" AND {name} = :{name}" for name in given)
    query = text(_EVENTS.format(conditions=conditions))
    rows = session.execute(query, {**given, "after": after, "limit": limit + 1}).mappings().all()
    items = [_event(dict(row)) for row in rows[:limit]]
    return items, items[-1]["position"] if len(rows) > limit else None


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    payload = bytes(row["payload"])
    known = row["state"] == "stored"
    return {
        **row,
        "data": orjson.loads(payload) if known else None,
        "raw": None if known else payload.decode(errors="backslashreplace"),
    }


def latencies(session: Session, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Milliseconds from the commit of a fact at its source to its commit here, by type; the row without a
    type is over all of them. Percentiles interpolate linearly.

    Raises Invalid where `from_` is not before `to`.
    """
    conditions, given = "", {}
    for name, condition in (
        ("correlation_id", "correlation_id = :correlation_id"),
        ("type", "type = :type"),
        ("from_", "recorded_at >= :from_"),
        ("to", "recorded_at < :to"),
    ):
        if filters.get(name) is not None:
            conditions += f" AND {condition}"
            given[name] = filters[name]
    if "from_" in given and "to" in given and given["from_"] >= given["to"]:
        raise Invalid.field("/to", "The end must be after the beginning.")
    rows = session.execute(text(_LATENCIES.format(conditions=conditions)), given).mappings()
    return [dict(row) for row in rows]
