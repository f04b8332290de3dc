"""Refusals of the leads slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["AlreadyAccepted", "ProbableDuplicate"]


class AlreadyAccepted(Conflict):
    """Somebody has accepted the lead before; the answer names what came of it."""

    problem = "lead-already-accepted"
    title = "The lead was accepted already"


class ProbableDuplicate(Conflict):
    """There is a record that is probably the same; the answer names the candidates."""

    problem = "probable-duplicate"
    title = "There is probably such a record already"
