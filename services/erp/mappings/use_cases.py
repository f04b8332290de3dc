"""Change mapping tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.erp.mappings.model import MappingTable
from services.erp.mappings.repository import MappingTables
from shared.db.unit_of_work import UnitOfWork

__all__ = ["RESUME", "replace_mapping"]

RESUME = "resume_blocked"
"""The timer that looks at the orders which a table held up."""


def replace_mapping(
    kind: str,
    entries: Sequence[Mapping[str, Any]],
    uow: UnitOfWork,
    *,
    keeps_unknown: bool,
    expected_version: int | None,
) -> MappingTable:
    """Replace a whole table; orders that waited for one of its codes go on by themselves.

    Raises NotFound, Stale, AmbiguousMapping.
    """
    with uow:
        table = MappingTables(uow.session).of_kind(kind)
        table.check_version(expected_version)
        table.replace(entries, keeps_unknown=keeps_unknown)
        uow.timers.set("mapping", table.id, RESUME, uow.clock.now())
        return table
