"""Get and find opportunities."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from services.sales.opportunities.model import Opportunity
from shared.db.repository import Repository

__all__ = ["Opportunities"]


class Opportunities(Repository[Opportunity]):
    """The opportunities of one session."""

    model = Opportunity

    def by_external_ids(self, external_ids: Iterable[str]) -> dict[str, Opportunity]:
        """The opportunities that an import knows by these names; names that nobody has are left out."""
        found = self.session.scalars(
            select(Opportunity).where(Opportunity.external_id.in_(set(external_ids)))
        )
        return {deal.external_id: deal for deal in found if deal.external_id is not None}

    def with_external_id(self, external_id: str) -> Opportunity | None:
        """The opportunity that an import knows as `external_id`."""
        return self.session.scalar(select(Opportunity).where(Opportunity.external_id == external_id))
