"""Refusals of the leads slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid, Retriable

__all__ = [
    "DuplicateLead",
    "LeadUnknown",
    "MergeImpossible",
    "NotQualifiable",
    "OwnerNotActive",
    "SubmissionDiffers",
    "TimeOutOfRange",
]


class SubmissionDiffers(Invalid):
    """The submission id was used for other values. Send a new submission under a new id."""

    problem = "submission-differs"
    title = "The submission id belongs to other values"


class TimeOutOfRange(Invalid):
    """Something is said to have happened long ago, or in the future."""

    problem = "time-out-of-range"
    title = "Nothing happens at such a time"


class DuplicateLead(Conflict):
    """The person is known already, and the door refuses people who are. `lead_id` names the lead."""

    problem = "duplicate-lead"
    title = "The person is a lead already"


class NotQualifiable(Conflict):
    """The lead must not go to sales yet; `reasons` says why: imported, not_genuine, certain_duplicate, cooling_off,
    no_new_behaviour."""

    problem = "not-qualifiable"
    title = "The lead cannot go to sales yet"


class OwnerNotActive(Invalid):
    """The person is unknown here, or has left."""

    problem = "owner-not-active"
    title = "Nobody active has this id"


class MergeImpossible(Conflict):
    """A lead cannot be merged with itself, and one that sales took over is never merged away."""

    problem = "merge-impossible"
    title = "These leads cannot be merged"


class LeadUnknown(Retriable):
    """An answer about a lead that is not here (yet, after a restore)."""

    problem = "lead-unknown"
    title = "The lead is not known"
