"""The mapping table aggregate: all entries of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy.orm import Mapped

from services.erp.database import Base
from services.erp.mappings.errors import AmbiguousMapping
from shared.db.base import AggregateRoot

__all__ = ["KINDS", "MappingTable"]

KINDS = ("tax", "unit", "currency", "country", "sku")


class MappingTable(AggregateRoot, Base):
    """The codes of one kind. `entries`: `{ours, theirs, valid_from, valid_to}`, both days inclusive or null.

    `keeps_unknown`: a code without an entry stands for itself; otherwise it blocks the order.
    """

    __tablename__ = "mappings"
    AGGREGATE = "mapping"

    kind: Mapped[str]
    keeps_unknown: Mapped[bool]
    entries: Mapped[list[dict[str, Any]]]

    def replace(self, entries: Sequence[Mapping[str, Any]], *, keeps_unknown: bool) -> None:
        """Put `entries` (in wire form) in the place of all that were there. Raises AmbiguousMapping."""
        ordered = sorted(map(dict, entries), key=lambda entry: (entry["ours"], entry["valid_from"] or ""))
        for earlier, later in pairwise(ordered):
            if earlier["ours"] == later["ours"] and (earlier["valid_to"] or "9999") >= (
                later["valid_from"] or ""
            ):
                raise AmbiguousMapping.field(
                    "/entries",
                    f"Two entries for {later['ours']!r} hold on {later['valid_from'] or 'every day'}.",
                )
        self.entries = ordered
        self.keeps_unknown = keeps_unknown
