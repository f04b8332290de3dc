"""Draft, change, publish and archive pipelines."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.sales.pipelines.model import Pipeline
from services.sales.pipelines.repository import Pipelines
from services.sales.sales_policy import DEFAULT_STAGES
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = [
    "DEFAULT_PIPELINE",
    "archive_pipeline",
    "draft_pipeline",
    "edit_pipeline",
    "install_default_pipeline",
    "publish_pipeline",
]


DEFAULT_PIPELINE = "default_pipeline"
DEFAULT_NAME = "Standard"


def draft_pipeline(values: Mapping[str, Any], uow: UnitOfWork) -> Pipeline:
    """Draft the first or the next version of a pipeline. Raises StageKeysClash."""
    with uow:
        pipelines = Pipelines(uow.session)
        return pipelines.add(Pipeline.draft(values, pipelines.last_version(values["name"]) + 1))


def edit_pipeline(
    pipeline_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int
) -> Pipeline:
    """Change a draft. Raises NotFound, Stale, IllegalState, StageKeysClash."""
    with uow:
        pipeline = Pipelines(uow.session).get(pipeline_id, expected_version=expected_version)
        pipeline.edit(changes)
        return pipeline


def publish_pipeline(pipeline_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Pipeline:
    """Make a draft the active version; the one before it is archived. Raises NotFound, Stale, IllegalState."""
    with uow:
        pipelines = Pipelines(uow.session)
        pipeline = pipelines.get(pipeline_id, expected_version=expected_version)
        earlier = pipelines.active_version_of(pipeline.name)
        if earlier is not None and earlier is not pipeline:
            earlier.archive(uow.clock.now())
            # A unique index allows one active version: the old one has to make room first.
            uow.flush()
        pipeline.publish(uow.clock.now())
        return pipeline


def archive_pipeline(pipeline_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Pipeline:
    """Take a pipeline out of use for new deals. Raises NotFound, Stale, IllegalState."""
    with uow:
        pipeline = Pipelines(uow.session).get(pipeline_id, expected_version=expected_version)
        pipeline.archive(uow.clock.now())
        return pipeline


def install_default_pipeline(_: Timer, uow: UnitOfWork) -> None:
    """Publish the pipeline that ships with the suite, where the company has none.

    The migration that makes a new database sets the timer; the bus process fires it once, when it first starts.
    """
    with uow:
        if Pipelines(uow.session).last_version(DEFAULT_NAME) == 0:
            values = {
                "name": DEFAULT_NAME,
                "win_requires": "nothing",
                "on_accept": "win",
                "stages": [dict(stage) for stage in DEFAULT_STAGES],
            }
            draft = draft_pipeline(values, uow)
            draft.publish(uow.clock.now())
