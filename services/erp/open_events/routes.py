"""The pull door: published facts for systems that do not read the broker."""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson
from flask import Response, request
from werkzeug.datastructures import MultiDict

from services.erp.open_events.queries import EventPage, read_events
from services.erp.open_events.schemas import EventFilters, Events
from shared.web import Blueprint, session
from shared.web.context import application

__all__ = ["blueprint"]

blueprint = Blueprint(
    "open_events",
    __name__,
    url_prefix="/v1/events",
    description="Published facts, to be fetched by other systems",
)

GROUP = "crm.erp"
PAUSE_SECONDS = 0.2

# A caller who waits holds a thread of the server: the others must be able to work.
_waiting = threading.BoundedSemaphore(4)


@blueprint.get("", permission="erp_event.read")
@blueprint.arguments(EventFilters, location="query")
@blueprint.response(200, Events)
def list_events(filters: dict[str, Any]) -> Response:
    """Fetch facts about orders, accounts, products and the ERP's answers, in order per subject, with the ids and
    bytes that they were published with. At least once: remember what you have seen."""
    cursors, path = application().cursors, request.path
    after = int(cursors.verify(filters["after"], path, MultiDict())[0]) if "after" in filters else 0
    page = _wait_for_events(after, filters)
    body = {"items": page.events, "next": cursors.sign([str(page.position)], path, MultiDict())}
    return Response(orjson.dumps(body), content_type="application/json")


def _wait_for_events(after: int, filters: dict[str, Any]) -> EventPage:
    deadline = time.monotonic() + filters["wait"]
    page = _read(after, filters)
    if page.events or not filters["wait"] or not _waiting.acquire(blocking=False):
        return page
    try:
        while not page.events and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
            page = _read(after, filters)
    finally:
        _waiting.release()
    return page


def _read(after: int, filters: dict[str, Any]) -> EventPage:
    try:
        return read_events(session(), GROUP, after, filters.get("types"), filters["limit"])
    finally:
        session().rollback()  # no connection is held while nothing happens
