"""Get and find pipelines."""

from __future__ import annotations

from sqlalchemy import func, select

from services.sales.pipelines.errors import NoActivePipeline
from services.sales.pipelines.model import Pipeline
from shared.db.repository import Repository

__all__ = ["Pipelines"]


class Pipelines(Repository[Pipeline]):
    """The pipelines of one session."""

    model = Pipeline

    def active(self, name: str | None = None) -> Pipeline:
        """The active version of `name`; without a name the oldest active pipeline. Raises NoActivePipeline."""
        query = select(Pipeline).where(Pipeline.state == "active").order_by(Pipeline.created_at, Pipeline.id)
        if name is not None:
            query = query.where(Pipeline.name == name)
        found = self.session.scalars(query.limit(1)).first()
        if found is None:
            raise NoActivePipeline("Publish a pipeline first.")
        return found

    def active_version_of(self, name: str) -> Pipeline | None:
        """The active version of `name`, if one is."""
        query = select(Pipeline).where(Pipeline.state == "active", Pipeline.name == name)
        return self.session.scalar(query.with_for_update())

    def last_version(self, name: str) -> int:
        """The highest version number of `name`, 0 where there is none."""
        return (
            self.session.scalar(select(func.max(Pipeline.pipeline_version)).where(Pipeline.name == name)) or 0
        )
