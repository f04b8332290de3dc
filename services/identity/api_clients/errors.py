"""Refusals of the API clients slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["ClientIdTaken", "UnknownScope"]


class ClientIdTaken(Conflict):
    """Another API client has this name; names are never used twice."""

    problem = "client-id-taken"
    title = "Another API client has this name"


class UnknownScope(Invalid):
    """A scope is a permission that may be given to machines."""

    problem = "unknown-scope"
    title = "There is no such scope"
