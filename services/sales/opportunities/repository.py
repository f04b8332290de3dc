"""Get and find opportunities."""

from __future__ import annotations

from sqlalchemy import select

from services.sales.opportunities.model import Opportunity
from shared.db.repository import Repository

__all__ = ["Opportunities"]


class Opportunities(Repository[Opportunity]):
    """The opportunities of one session."""

    model = Opportunity

    def with_external_id(self, external_id: str) -> Opportunity | None:
        """The opportunity that an import knows as `external_id`."""
        return self.session.scalar(select(Opportunity).where(Opportunity.external_id == external_id))
