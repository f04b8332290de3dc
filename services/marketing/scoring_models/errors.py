"""Refusals of the scoring models slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid

__all__ = ["CriterionWrong", "ThresholdsCrossed"]


class CriterionWrong(Invalid):
    """A criterion's value does not fit its operator."""

    problem = "criterion-wrong"
    title = "The criterion does not hold together"


class ThresholdsCrossed(Invalid):
    """A lead would be hot before it is warm."""

    problem = "thresholds-crossed"
    title = "hot_from lies below warm_from"
