"""A run of a projection: the tables it fills, how far it has read, and what became of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.analytics.database import Base
from shared.db.base import AggregateRoot

__all__ = ["BlockedKey", "ProjectionRun", "SkippedFact"]


class ProjectionRun(AggregateRoot, Base):
    """States: building -> live -> retired, or building -> failed. One run of a name is live; the first one is
    from the start. `watermark`: position of the last archived row that it has taken in."""

    __tablename__ = "projection_runs"
    AGGREGATE = "projection"

    name: Mapped[str]
    projection_version: Mapped[int]
    state: Mapped[str]
    watermark: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    digest: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    @classmethod
    def begin(cls, name: str, projection_version: int, state: str) -> Self:
        """A run that has read nothing yet. `state`: building, or live for the first of its name."""
        return cls(name=name, projection_version=projection_version, state=state, watermark=0)

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return ["rebuild"] if self.state == "live" else []

    def go_live(self, now: datetime, digest: dict[str, Any]) -> None:
        """Its tables are the ones that answers come from now."""
        self.state, self.finished_at, self.digest = "live", now, digest

    def retire(self, now: datetime) -> None:
        """Another run has taken its place."""
        self.state, self.finished_at = "retired", now

    def fail(self, now: datetime, reason: str) -> None:
        """Its tables were thrown away; those of the live run are untouched."""
        self.state, self.finished_at, self.reason = "failed", now, reason


class BlockedKey(Base):
    """A key one of whose facts could not be applied: this fact and the later ones of the key wait."""

    __tablename__ = "blocked_keys"

    run_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("projection_runs.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[uuid.UUID]
    position: Mapped[int]
    error: Mapped[str]
    blocked_at: Mapped[datetime]


class SkippedFact(Base):
    """A fact that a person decided to leave out; rebuilds leave it out too."""

    __tablename__ = "skipped_facts"

    projection: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    reason: Mapped[str]
    actor_id: Mapped[str]
    skipped_at: Mapped[datetime]
