"""Refusals of the accounts slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["AccountExists", "AccountNotLive", "ParentRing"]


class AccountNotLive(Conflict):
    """The account was merged away or erased; nothing new may hang on it."""

    problem = "account-not-live"
    title = "The account is no longer live"


class AccountExists(Conflict):
    """Another account carries the same external id."""

    problem = "account-exists"
    title = "There is such an account already"


class ParentRing(Invalid):
    """The parent would be its own descendant, or the hierarchy too deep."""

    problem = "parent-ring"
    title = "The hierarchy cannot hold this parent"
