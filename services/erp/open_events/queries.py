"""Read published facts in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.plumbing import INBOX

__all__ = ["OPEN_TOPICS", "EventPage", "read_events"]

OPEN_TOPICS = (
    "crm.sales.order",
    "crm.sales.account",
    "crm.sales.product",
    "crm.erp.order",
    "crm.erp.customer",
)
"""What other systems may read."""

_EXTENSIONS = ("partitionkey", "correlationid", "causationid", "actorid", "dataclass")


@dataclass(frozen=True, slots=True)
class EventPage:
    """Structured CloudEvents; `position`: behind the last fact that was looked at."""

    events: list[dict[str, Any]]
    position: int


def read_events(
    session: Session, consumer: str, after: int, types: Sequence[str] | None, limit: int
) -> EventPage:
    """At most `limit` facts behind `after`, in order per key. Nothing is passed by: positions follow commits."""
    c = INBOX.c
    query = select(c.ord, c.headers, c.payload).where(
        c.consumer == consumer, c.topic.in_(OPEN_TOPICS), c.event_type.is_not(None), c.ord > after
    )
    if types is not None:
        query = query.where(c.event_type.in_(types))
    rows = session.execute(query.order_by(c.ord).limit(limit)).all()
    return EventPage(
        [_structured(row.headers, bytes(row.payload)) for row in rows], rows[-1].ord if rows else after
    )


def _structured(headers: dict[str, str], payload: bytes) -> dict[str, Any]:
    """CloudEvents 1.0 in structured mode; `data` are the very bytes of the message."""
    event: dict[str, Any] = {
        name: headers[f"ce_{name}"]
        for name in ("specversion", "id", "source", "type", "subject", "time", "dataschema")
        if f"ce_{name}" in headers
    }
    event |= {name: headers[f"ce_{name}"] for name in _EXTENSIONS if f"ce_{name}" in headers}
    if "traceparent" in headers:
        event["traceparent"] = headers["traceparent"]
    event["aggregateversion"] = int(headers["ce_aggregateversion"])
    event["datacontenttype"] = headers.get("content-type", "application/json")
    event["data"] = orjson.Fragment(payload)
    return event
