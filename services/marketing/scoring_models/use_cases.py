"""Draft and activate scoring models."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.marketing.scoring_models.model import ScoringModel
from services.marketing.scoring_models.repository import ScoringModels
from shared.db.unit_of_work import UnitOfWork

__all__ = ["activate_scoring_model", "draft_scoring_model"]


def draft_scoring_model(values: Mapping[str, Any], uow: UnitOfWork) -> ScoringModel:
    """Draft the next version. Raises CriterionWrong, ThresholdsCrossed."""
    with uow:
        models = ScoringModels(uow.session)
        return models.add(ScoringModel.draft(values, models.next_version()))


def activate_scoring_model(model_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> ScoringModel:
    """Put a version in force and retire the one before. Raises NotFound, Stale, IllegalState."""
    with uow:
        models = ScoringModels(uow.session)
        model = models.get(model_id, expected_version=expected_version)
        before = models.active()
        if model.state == "draft":
            before.retire()
            # At most one may be active at any moment of the transaction.
            uow.flush()
        model.activate(uow.clock.now())
        return model
