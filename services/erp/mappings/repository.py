"""Get and find mapping tables."""

from __future__ import annotations

from sqlalchemy import select

from services.erp.mappings.model import MappingTable
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["MappingTables"]


class MappingTables(Repository[MappingTable]):
    """The mapping tables of one session; migrations make one of each kind."""

    model = MappingTable

    def of_kind(self, kind: str) -> MappingTable:
        """The table of `kind`. Raises NotFound."""
        table = self.session.scalar(select(MappingTable).where(MappingTable.kind == kind))
        if table is None:
            raise NotFound(f"There is no mapping of the kind {kind}.")
        return table

    def every(self) -> list[MappingTable]:
        """All tables."""
        return list(self.session.scalars(select(MappingTable)))
