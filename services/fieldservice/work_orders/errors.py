"""Refusals of the work orders slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["DuplicateSource", "NotHeld", "VisitsRunning"]


class DuplicateSource(Conflict):
    """What the work order is made for has one already; the answer names it."""

    problem = "duplicate-source"
    title = "There is a work order for this already"


class NotHeld(Conflict):
    """A hold can only be released while it is set."""

    problem = "not-held"
    title = "There is no such hold"


class VisitsRunning(Conflict):
    """Somebody works at the site: let the visits end first; the answer names them."""

    problem = "visits-running"
    title = "A visit is running"
