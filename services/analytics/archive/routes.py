"""The archive over HTTP."""

from __future__ import annotations

from typing import Any

from services.analytics.archive import queries
from services.analytics.archive.schemas import ArchivedEvent, EventFilters, Latencies, LatencyFilters
from services.analytics.processes.answers import answered, asked, freshness, go_on, page_of, place
from shared.web import Blueprint, session

__all__ = ["blueprint"]

blueprint = Blueprint("archive", __name__, url_prefix="/v1/archive", description="Every fact there was")

_LATENCY = "Milliseconds from the commit of a fact at its source to its commit in the archive."


@blueprint.get("/events", permission="archive.read")
@blueprint.arguments(asked(EventFilters, paged=True), location="query")
@blueprint.response(200, page_of(ArchivedEvent))
def list_events(filters: dict[str, Any]) -> dict[str, Any]:
    """List archived facts in the order in which they arrived."""
    fresh = freshness(filters)
    begin = place(filters)
    after = int(begin[0]) if begin else 0
    items, last = queries.archived_events(session(), filters, after=after, limit=filters["limit"])
    return {"items": items, "next": go_on(None if last is None else [str(last)]), **fresh}


@blueprint.get("/latencies", permission="archive.read")
@blueprint.arguments(asked(LatencyFilters), location="query")
@blueprint.response(200, answered(Latencies))
def get_latencies(filters: dict[str, Any]) -> dict[str, Any]:
    """How long facts took from their source to here, by type."""
    fresh = freshness(filters)
    return {"unit": "ms", "definition": _LATENCY, "items": queries.latencies(session(), filters), **fresh}
