"""Scoring models over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.marketing.scoring_models import queries, use_cases
from services.marketing.scoring_models.schemas import (
    DraftScoringModel,
    ScoringModelFilters,
    ScoringModelOut,
    ScoringModelRow,
)
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.marketing.scoring_models.model import ScoringModel

__all__ = ["blueprint"]

blueprint = Blueprint(
    "scoring_models",
    __name__,
    url_prefix="/v1/scoring-models",
    description="How leads are scored and handed over",
)


@blueprint.get("", permission="scoring_model.read")
@blueprint.arguments(ScoringModelFilters, location="query")
@blueprint.page(ScoringModelRow)
def list_scoring_models(filters: dict[str, Any]) -> Page:
    """List the versions."""
    return queries.list_scoring_models(session(), filters)


@blueprint.post("", permission="scoring_model.edit")
@blueprint.arguments(DraftScoringModel)
@blueprint.response(201, ScoringModelOut)
def draft_scoring_model(values: dict[str, Any]) -> ScoringModel:
    """Draft the next version."""
    return use_cases.draft_scoring_model(values, unit_of_work())


@blueprint.get("/<uuid:model_id>", permission="scoring_model.read")
@blueprint.response(200, ScoringModelOut)
def get_scoring_model(model_id: uuid.UUID) -> ScoringModel:
    """Read a version."""
    return queries.get_scoring_model(session(), model_id)


@blueprint.post("/<uuid:model_id>/activate", permission="scoring_model.edit", if_match=True)
@blueprint.response(200, ScoringModelOut)
def activate_scoring_model(model_id: uuid.UUID, expected_version: int) -> ScoringModel:
    """Score leads by this version from now on; a lead's stored score stays until something happens to it."""
    return use_cases.activate_scoring_model(model_id, unit_of_work(), expected_version=expected_version)
