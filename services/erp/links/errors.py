"""Refusals of the links slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["AnswerDiffers", "LinesDoNotAddUp", "NotBlockedByTotals", "OtherContent"]


class OtherContent(Conflict):
    """The same request was sent before with other content."""

    problem = "other-content"
    title = "The request was sent before with other content"


class NotBlockedByTotals(Conflict):
    """There are no figures of the ERP to take."""

    problem = "not-blocked-by-totals"
    title = "The order does not wait for a decision about figures"


class LinesDoNotAddUp(Invalid):
    """accepted + backordered + rejected is not what was ordered."""

    problem = "lines-do-not-add-up"
    title = "The lines do not add up to what was ordered"


class AnswerDiffers(Conflict):
    """An answer with this id was given before, with other content."""

    problem = "answer-differs"
    title = "The id belongs to another answer"
