"""Refusals of the activities slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid, NotPermitted

__all__ = ["DueInPast", "NotACall", "RequiredStep"]


class DueInPast(Invalid):
    """What is planned lies ahead."""

    problem = "due-in-past"
    title = "The due time has passed"


class RequiredStep(NotPermitted):
    """The sales policy wants this step; skipping it takes a permission."""

    problem = "required-step"
    title = "The sales policy requires this step"


class NotACall(Invalid):
    """Only calls have a direction, a reference and a disposition."""

    problem = "not-a-call"
    title = "The activity is not a call"
