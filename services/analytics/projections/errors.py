"""Refusals of the projections slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, NotFound

__all__ = ["KeyNotBlocked", "KeysAreBlocked", "UnknownProjection"]


class UnknownProjection(NotFound):
    """There is no projection of that name."""

    problem = "unknown-projection"
    title = "There is no such projection"


class KeyNotBlocked(NotFound):
    """The key is not blocked in this projection."""

    problem = "key-not-blocked"
    title = "The key is not blocked"


class KeysAreBlocked(Conflict):
    """A rebuild would stop at the same facts. Retry or skip the blocked keys first."""

    problem = "keys-are-blocked"
    title = "Some keys are blocked"
