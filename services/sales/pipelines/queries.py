"""Read pipelines."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.sales.pipelines.model import Pipeline
from services.sales.pipelines.repository import Pipelines
from shared.db.listing import Listing, Page, equals

__all__ = ["get_pipeline", "list_pipelines"]

_PIPELINES = Listing(
    select(*Pipeline.__table__.columns),
    key=Pipeline.id,
    filters={"name": equals(Pipeline.name), "state": equals(Pipeline.state)},
    sorts={"created_at": Pipeline.created_at, "name": Pipeline.name},
)


def list_pipelines(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of pipeline versions."""
    return _PIPELINES.page(session, arguments)


def get_pipeline(session: Session, pipeline_id: uuid.UUID) -> Pipeline:
    """One version. Raises NotFound."""
    return Pipelines(session).get(pipeline_id)
