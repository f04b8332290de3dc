"""Refusals of the mappings slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid

__all__ = ["AmbiguousMapping"]


class AmbiguousMapping(Invalid):
    """Two entries for one code hold on the same day."""

    problem = "ambiguous-mapping"
    title = "A code would have two meanings"
