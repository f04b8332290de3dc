"""Read scoring models."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.marketing.scoring_models.model import ScoringModel
from services.marketing.scoring_models.repository import ScoringModels
from shared.db.listing import Listing, Page, equals

__all__ = ["get_scoring_model", "list_scoring_models"]

_MODELS = Listing(
    select(
        ScoringModel.id,
        ScoringModel.version,
        ScoringModel.name,
        ScoringModel.model_version,
        ScoringModel.state,
        ScoringModel.activated_at,
        ScoringModel.created_at,
    ),
    key=ScoringModel.id,
    filters={"state": equals(ScoringModel.state)},
    sorts={"model_version": ScoringModel.model_version},
    default_sort="-model_version",
)


def list_scoring_models(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of versions."""
    return _MODELS.page(session, arguments)


def get_scoring_model(session: Session, model_id: uuid.UUID) -> ScoringModel:
    """One version in full. Raises NotFound."""
    return ScoringModels(session).get(model_id)
