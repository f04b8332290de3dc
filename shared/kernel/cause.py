"""Why something happens: the chain it belongs to, the fact or request that caused it, and who is behind it.

The web layer sets a cause per request, the message worker one per handled fact; the unit of work stamps it on
everything it commits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shared.kernel.ids import new_id

__all__ = ["Cause", "caused_by", "current_cause"]


@dataclass(frozen=True, slots=True)
class Cause:
    """`correlation_id` names the chain; `causation_id` is the id of the causing fact, None for a request;
    `actor_id` is `user:<id>`, `client:<id>`, `door:<name>` or `system:<part>`; `action` is the permission or
    handler at work."""

    correlation_id: uuid.UUID
    actor_id: str
    action: str
    causation_id: str | None = None


_current: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current_cause() -> Cause:
    """The cause at work; outside of any, a fresh one of the system itself."""
    cause = _current.get()
    return cause if cause is not None else Cause(new_id(), "system:internal", "internal")


@contextmanager
def caused_by(cause: Cause) -> Iterator[Cause]:
    """Everything inside the block happens because of `cause`."""
    token = _current.set(cause)
    try:
        yield cause
    finally:
        _current.reset(token)
