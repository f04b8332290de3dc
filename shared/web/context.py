"""What belongs to the request at work: who asks, its chain, its session and its unit of work."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app, g, request
from opentelemetry.trace import Span
from sqlalchemy.orm import Session

from shared.access.principal import Principal
from shared.kernel.ids import new_id

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork
    from shared.web.application import Application

__all__ = ["RequestContext", "application", "current", "principal", "session", "unit_of_work"]


@dataclass(slots=True)
class RequestContext:
    """One request. `principal` is None below `/public/v1`."""

    correlation_id: uuid.UUID
    principal: Principal | None = None
    unit_of_work: UnitOfWork | None = None
    reading: Session | None = None
    started: float = 0.0
    route: str = "unknown"
    span: Span | None = None
    spanning: AbstractContextManager[Span] | None = None


def application() -> Application:
    """What the application keeps for its whole life: database, keys, limits."""
    found: Application = current_app.extensions["crm"]
    return found


def current() -> RequestContext:
    """The request at work; made on first use."""
    found: RequestContext | None = g.get("crm")
    if found is None:
        found = g.crm = RequestContext(_correlation_id())
    return found


def _correlation_id() -> uuid.UUID:
    given = request.headers.get("X-Correlation-Id")
    if given is not None and len(given) == 36:
        try:
            return uuid.UUID(given)
        except ValueError:
            pass
    return new_id()


def principal() -> Principal:
    """The caller. Raises RuntimeError on a public door, where nobody is known."""
    found = current().principal
    if found is None:
        raise RuntimeError("a public door has no principal")
    return found


def unit_of_work() -> UnitOfWork:
    """The request's unit of work; it is made on first use and closed when the request ends."""
    context = current()
    if context.unit_of_work is None:
        context.unit_of_work = application().new_unit_of_work()
    return context.unit_of_work


def session() -> Session:
    """The request's session, for queries: that of its unit of work, or in a GET one that only reads."""
    context = current()
    if request.method not in ("GET", "HEAD"):
        return unit_of_work().session
    if context.reading is None:
        context.reading = application().new_reading_session()
    return context.reading
