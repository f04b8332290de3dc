"""A company's sales policy as data: the stages of a pipeline, where one may go from each, and what a win takes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["CLOSED_CATEGORY", "DEFAULT_STAGES", "LOST", "WON", "PipelinePlan", "Stage"]

WON = "won"
LOST = "lost"
CLOSED_CATEGORY = "closed"
OMITTED_CATEGORY = "omitted"


@dataclass(frozen=True, slots=True)
class Stage:
    """An open phase. `probability_bp`: chance to win in hundredths of a percent; `max_days`: how long a deal should
    stay; `moves_to`: keys of stages one may go to besides the next and all earlier ones."""

    key: str
    name: str
    position: int
    probability_bp: int
    forecast_category: str
    max_days: int | None = None
    moves_to: tuple[str, ...] = ()

    @classmethod
    def from_data(cls, data: Mapping[str, Any], position: int) -> Self:
        """A stage from its stored form."""
        return cls(
            data["key"],
            data["name"],
            position,
            data["probability_bp"],
            data["forecast_category"],
            data.get("max_days"),
            tuple(data.get("moves_to") or ()),
        )


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """A published version of a pipeline. `win_requires`: accepted_quote, lines or nothing."""

    pipeline_id: uuid.UUID
    version: int
    win_requires: str
    on_accept: str
    stages: tuple[Stage, ...]

    @classmethod
    def of(
        cls,
        pipeline_id: uuid.UUID,
        version: int,
        win_requires: str,
        on_accept: str,
        stages: Sequence[Mapping[str, Any]],
    ) -> Self:
        """A plan from its stored form."""
        return cls(
            pipeline_id,
            version,
            win_requires,
            on_accept,
            tuple(Stage.from_data(data, position) for position, data in enumerate(stages, start=1)),
        )

    @property
    def first(self) -> Stage:
        """Where every deal begins."""
        return self.stages[0]

    def stage(self, key: str) -> Stage | None:
        """The stage called `key`, None where there is none."""
        return next((stage for stage in self.stages if stage.key == key), None)

    def targets(self, key: str) -> list[str]:
        """The keys that may be moved to from `key`: the next, all earlier ones and what the stage names."""
        here = self.stage(key)
        if here is None:
            return [stage.key for stage in self.stages]
        return [
            stage.key
            for stage in self.stages
            if stage.key != key and (stage.position <= here.position + 1 or stage.key in here.moves_to)
        ]


DEFAULT_STAGES: tuple[dict[str, Any], ...] = tuple(
    {"key": key, "name": name, "probability_bp": chance, "forecast_category": category, "max_days": days}
    for key, name, chance, category, days in (
        ("initiation", "Initiation", 500, "pipeline", 21),
        ("identification", "Identification", 1500, "pipeline", 21),
        ("qualification", "Qualification", 3000, "pipeline", 30),
        ("rfp_received", "RFP received", 4500, "best_case", 30),
        ("quotation_sent", "Quotation sent", 6500, "most_likely", 30),
        ("final", "Final negotiation", 8500, "commit", 21),
    )
)
"""The pipeline that ships with the suite."""
