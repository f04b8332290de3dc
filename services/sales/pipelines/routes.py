"""Pipelines over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.pipelines import queries, use_cases
from services.sales.pipelines.schemas import (
    DraftPipeline,
    EditPipeline,
    PipelineFilters,
    PipelineOut,
    PipelineRow,
)
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.pipelines.model import Pipeline

__all__ = ["blueprint"]

blueprint = Blueprint(
    "pipelines", __name__, url_prefix="/v1/pipelines", description="The phases of a sale, as data"
)


@blueprint.get("", permission="pipeline.read")
@blueprint.arguments(PipelineFilters, location="query")
@blueprint.page(PipelineRow)
def list_pipelines(filters: dict[str, Any]) -> Page:
    """List pipeline versions."""
    return queries.list_pipelines(session(), filters)


@blueprint.post("", permission="pipeline.create")
@blueprint.arguments(DraftPipeline)
@blueprint.response(201, PipelineOut)
def draft_pipeline(values: dict[str, Any]) -> Pipeline:
    """Draft the first or next version of a pipeline."""
    return use_cases.draft_pipeline(values, unit_of_work())


@blueprint.get("/<uuid:pipeline_id>", permission="pipeline.read")
@blueprint.response(200, PipelineOut)
def get_pipeline(pipeline_id: uuid.UUID) -> Pipeline:
    """Read a pipeline version."""
    return queries.get_pipeline(session(), pipeline_id)


@blueprint.patch("/<uuid:pipeline_id>", permission="pipeline.edit")
@blueprint.arguments(EditPipeline)
@blueprint.response(200, PipelineOut)
def edit_pipeline(changes: dict[str, Any], pipeline_id: uuid.UUID, expected_version: int) -> Pipeline:
    """Change a draft."""
    return use_cases.edit_pipeline(pipeline_id, changes, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:pipeline_id>/publish", permission="pipeline.publish", if_match=True)
@blueprint.response(200, PipelineOut)
def publish_pipeline(pipeline_id: uuid.UUID, expected_version: int) -> Pipeline:
    """Make a draft the version that new deals get."""
    return use_cases.publish_pipeline(pipeline_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:pipeline_id>/archive", permission="pipeline.publish", if_match=True)
@blueprint.response(200, PipelineOut)
def archive_pipeline(pipeline_id: uuid.UUID, expected_version: int) -> Pipeline:
    """Take a pipeline out of use for new deals."""
    return use_cases.archive_pipeline(pipeline_id, unit_of_work(), expected_version=expected_version)
