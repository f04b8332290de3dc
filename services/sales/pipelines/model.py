"""The pipeline aggregate: one version of a company's phases of a sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy.orm import Mapped

from services.sales.database import Base
from services.sales.pipelines.errors import StageKeysClash
from services.sales.pipelines.events import PipelineChanged
from services.sales.sales_policy import LOST, WON, PipelinePlan
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["Pipeline"]


class Pipeline(AggregateRoot, Base):
    """States: draft -> active -> archived. Only drafts can be edited; one version of a name is active."""

    __tablename__ = "pipelines"
    AGGREGATE = "pipeline"

    name: Mapped[str]
    pipeline_version: Mapped[int]
    state: Mapped[str]
    win_requires: Mapped[str]
    on_accept: Mapped[str]
    stages: Mapped[list[dict[str, Any]]]

    @classmethod
    def draft(cls, values: Mapping[str, Any], pipeline_version: int) -> Self:
        """A new draft. Raises StageKeysClash."""
        _check_keys(values["stages"])
        return cls(state="draft", pipeline_version=pipeline_version, **values)

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return {"draft": ["edit", "publish"], "active": ["archive"]}.get(self.state, [])

    @property
    def plan(self) -> PipelinePlan:
        """What deals in this version go by."""
        return PipelinePlan.of(self.id, self.pipeline_version, self.win_requires, self.on_accept, self.stages)

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change a draft. Raises IllegalState, StageKeysClash."""
        self._require("edit")
        if "stages" in changes:
            _check_keys(changes["stages"])
        for name, value in changes.items():
            setattr(self, name, value)

    def publish(self, now: datetime) -> None:
        """Make this version the one that new deals get. Raises IllegalState."""
        self._require("publish")
        self.state = "active"
        self._record(now)

    def archive(self, now: datetime) -> None:
        """Take no more new deals; those inside stay. Raises IllegalState."""
        self._require("archive")
        self.state = "archived"
        self._record(now)

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"A pipeline that is {self.state} cannot {verb}. Draft a new version instead.",
                state=self.state,
                allowed=self.allowed,
            )

    def _record(self, now: datetime) -> None:
        self.record(
            PipelineChanged(
                pipeline_id=self.id,
                name=self.name,
                pipeline_version=self.pipeline_version,
                state=self.state,
                win_requires=self.win_requires,
                on_accept=self.on_accept,
                stages=[
                    {
                        "key": stage.key,
                        "name": stage.name,
                        "position": stage.position,
                        "probability_bp": stage.probability_bp,
                        "forecast_category": stage.forecast_category,
                        "max_days": stage.max_days,
                    }
                    for stage in self.plan.stages
                ],
                origin="user",
                effective_at=now,
            )
        )


def _check_keys(stages: Sequence[Mapping[str, Any]]) -> None:
    keys = [stage["key"] for stage in stages]
    for position, key in enumerate(keys):
        if key in keys[:position] or key in (WON, LOST):
            raise StageKeysClash.field(f"/stages/{position}/key", f"The key {key} is taken.")
        unknown = [to for to in stages[position].get("moves_to") or () if to not in keys]
        if unknown:
            raise StageKeysClash.field(f"/stages/{position}/moves_to", f"There is no stage {unknown[0]}.")
