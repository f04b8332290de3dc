"""Get and find pipelines."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select

from services.sales.pipelines.errors import NoActivePipeline
from services.sales.pipelines.model import Pipeline
from services.sales.sales_policy import PipelinePlan
from shared.db.prepared import LookUp
from shared.db.repository import Repository

__all__ = ["Pipelines"]

_ACTIVE = (
    select(Pipeline.id).where(Pipeline.state == "active").order_by(Pipeline.created_at, Pipeline.id).limit(1)
)

_OLDEST_ACTIVE = LookUp(_ACTIVE)

_published: dict[uuid.UUID, PipelinePlan] = {}
"""The plans of published versions, which never change again; people make a handful of them in years."""


class Pipelines(Repository[Pipeline]):
    """The pipelines of one session."""

    model = Pipeline

    def active_plan(self, name: str | None = None) -> PipelinePlan:
        """What new deals go by: the active version of `name`, by default the oldest active pipeline.

        Raises NoActivePipeline.
        """
        if name is None:
            found = _OLDEST_ACTIVE(self.session)
        else:
            found = self.session.execute(_ACTIVE.where(Pipeline.name == name)).first()
        if found is None:
            raise NoActivePipeline("Publish a pipeline first.")
        return self.plan(found.id)

    def plan(self, pipeline_id: uuid.UUID) -> PipelinePlan:
        """What deals in a version go by. Raises NotFound."""
        kept = _published.get(pipeline_id)
        if kept is not None:
            return kept
        pipeline = self.get(pipeline_id)
        if pipeline.state != "draft":
            _published[pipeline_id] = pipeline.plan
        return pipeline.plan

    def active_version_of(self, name: str) -> Pipeline | None:
        """The active version of `name`, if one is."""
        query = select(Pipeline).where(Pipeline.state == "active", Pipeline.name == name)
        return self.session.scalar(query.with_for_update())

    def last_version(self, name: str) -> int:
        """The highest version number of `name`, 0 where there is none."""
        return (
            self.session.scalar(select(func.max(Pipeline.pipeline_version)).where(Pipeline.name == name)) or 0
        )
