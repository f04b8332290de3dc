"""What every read answer has in common: up to where it has read, and how to wait for one's own write."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import marshmallow
from flask import request
from marshmallow.fields import Float

from services.analytics.archive.queries import head, position_of, waiting_since
from services.analytics.projections.queries import watermark
from shared.web import Schema, fields, session
from shared.web.context import application
from shared.web.pagination import DEFAULT_LIMIT, MAX_LIMIT

__all__ = ["answered", "asked", "freshness", "go_on", "page_of", "place"]

_POLL_SECONDS = 0.02


class _Asked(Schema):
    after_event = fields.Id(
        metadata={"description": "Id of a fact that the answer has to include, such as one you caused."}
    )
    wait_ms = fields.Integer(
        min=0, max=2000, load_default=0, metadata={"description": "How long to wait for that fact at most."}
    )


class _AskedPage(_Asked):
    limit = fields.Integer(min=1, max=MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = fields.String(metadata={"description": "Where to go on: `next` of the page before."})


class _Answered(Schema):
    as_of = fields.Timestamp(metadata={"description": "When the answer was made."})
    position = fields.Integer(
        metadata={"description": "The answer includes every archived fact up to this position."}
    )
    lag_seconds = Float(
        metadata={"description": "How long the oldest fact that it lacks has waited; 0 if none has."}
    )
    stale = fields.Boolean(metadata={"description": "Whether the fact in after_event is still missing."})


@cache
def asked(schema: type[marshmallow.Schema] = Schema, *, paged: bool = False) -> type[Schema]:
    """The query schema of a read: `schema` with what every read takes."""
    return type(schema.__name__, (_AskedPage if paged else _Asked, schema), {})


@cache
def answered(schema: type[marshmallow.Schema]) -> type[Schema]:
    """The answer schema of a read: `schema` with how fresh the answer is."""
    return type(schema.__name__, (_Answered, schema), {})


@cache
def page_of(item: type[marshmallow.Schema]) -> type[Schema]:
    """The answer schema of a paged read with items of `item`."""
    members = {
        "items": fields.List(fields.Nested(item), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "Cursor of the next page; null on the last."},
        ),
    }
    return type(f"{item.__name__}Page", (_Answered,), members)


def freshness(arguments: Mapping[str, Any], *projections: str) -> dict[str, Any]:
    """Up to where the tables of `projections` (without any: the archive) have read, after the wait that the
    `arguments` ask for. Call it before reading: what is read then includes at least this much."""
    stale = not _wait(arguments, projections)
    position = _reached(projections)
    waiting = waiting_since(session(), position) if projections else None
    now = application().clock.now()
    lag = max((now - waiting).total_seconds(), 0.0) if waiting is not None else 0.0
    return {"as_of": now, "position": position, "lag_seconds": round(lag, 3), "stale": stale}


def _reached(projections: Sequence[str]) -> int:
    return watermark(session(), projections) if projections else head(session())


def _wait(arguments: Mapping[str, Any], projections: Sequence[str]) -> bool:
    """Whether the fact in `after_event` is included, at once or within `wait_ms`."""
    event_id = arguments.get("after_event")
    if event_id is None:
        return True
    deadline = time.monotonic() + arguments["wait_ms"] / 1000
    while True:
        position = position_of(session(), event_id)
        if position is not None and position <= _reached(projections):
            return True
        if time.monotonic() >= deadline:
            return False
        # No transaction is kept open over the wait.
        session().rollback()
        time.sleep(_POLL_SECONDS)


def place(arguments: Mapping[str, Any]) -> list[str] | None:
    """Where the page begins, from the signed cursor; None at the beginning. Raises InvalidCursor."""
    cursor = arguments.get("cursor")
    return None if cursor is None else application().cursors.verify(cursor, request.path, request.args)


def go_on(position: Sequence[str] | None) -> str | None:
    """The cursor of the next page, which begins after `position`."""
    if position is None:
        return None
    return application().cursors.sign(position, request.path, request.args)
