"""Refusals of the contracts slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["EntitlementExhausted", "NoTerm"]


class NoTerm(Conflict):
    """A contract needs its first and last day before it is in force."""

    problem = "no-term"
    title = "The contract has no term"


class EntitlementExhausted(Conflict):
    """Nothing is left to use; a balance never goes below zero."""

    problem = "entitlement-exhausted"
    title = "The entitlement is used up"
