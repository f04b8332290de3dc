"""Refusals of the opportunities slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = [
    "AccountNeeded",
    "CloseDateOutOfRange",
    "OpportunityExists",
    "StageUnreachable",
    "UnknownStage",
    "WinNotMet",
]


class UnknownStage(Invalid):
    """The pipeline has no such stage."""

    problem = "unknown-stage"
    title = "The pipeline has no such stage"


class StageUnreachable(Conflict):
    """The policy does not allow this move."""

    problem = "stage-unreachable"
    title = "The policy does not allow this move"


class AccountNeeded(Conflict):
    """A deal cannot be won without a customer."""

    problem = "account-needed"
    title = "The opportunity needs an account first"


class WinNotMet(Conflict):
    """The policy asks for more before a win."""

    problem = "win-requirements-unmet"
    title = "The policy asks for more before a win"


class CloseDateOutOfRange(Invalid):
    """Close dates lie between 2000 and twenty years from now."""

    problem = "close-date-out-of-range"
    title = "The close date is out of range"


class OpportunityExists(Conflict):
    """Another opportunity carries the same external id."""

    problem = "opportunity-exists"
    title = "There is such an opportunity already"
