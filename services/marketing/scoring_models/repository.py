"""Get and find scoring models."""

from __future__ import annotations

from sqlalchemy import func, select

from services.marketing.scoring_models.model import ScoringModel
from shared.db.repository import Repository

__all__ = ["ScoringModels"]


class ScoringModels(Repository[ScoringModel]):
    """The scoring models of one session."""

    model = ScoringModel

    def active(self) -> ScoringModel:
        """The version that is in force; there always is one."""
        return self.session.scalars(select(ScoringModel).where(ScoringModel.state == "active")).one()

    def next_version(self) -> int:
        """The number of the next version."""
        newest: int = self.session.scalars(select(func.max(ScoringModel.model_version))).one()
        return newest + 1
