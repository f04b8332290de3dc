"""Facts about pipelines."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event

__all__ = ["PipelineChanged"]


@dataclass(frozen=True)
class PipelineChanged(Event):
    """A version was published, or archived because a newer one took its place."""

    TYPE = "crm.sales.pipeline.changed.v1"

    pipeline_id: uuid.UUID
    name: str
    pipeline_version: int
    state: str
    win_requires: str
    on_accept: str
    stages: list[dict[str, Any]]
    origin: str
    effective_at: datetime
