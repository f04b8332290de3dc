"""Refusals of the cases slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["ClosedForReopen"]


class ClosedForReopen(Conflict):
    """Too long ago to reopen; a new case can follow it."""

    problem = "closed-for-reopen"
    title = "The case cannot be reopened any more"
