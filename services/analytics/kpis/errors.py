"""Refusals of the kpis slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid, NotFound

__all__ = ["TooManyPoints", "UnknownKpi"]


class UnknownKpi(NotFound):
    """There is no key figure of that name."""

    problem = "unknown-kpi"
    title = "There is no such key figure"


class TooManyPoints(Invalid):
    """A series may have 5,000 points. Take the coarser grain that the detail names."""

    problem = "too-many-points"
    title = "The series would have too many points"
