"""How far projections have come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.analytics.projections.model import BlockedKey, ProjectionRun, SkippedFact
from services.analytics.projections.repository import digest_of

__all__ = ["blocked_keys", "live_digest", "projection_runs", "skipped_facts", "watermark"]

_SHOWN = (
    ProjectionRun.id,
    ProjectionRun.name,
    ProjectionRun.projection_version,
    ProjectionRun.state,
    ProjectionRun.watermark,
    ProjectionRun.reason,
    ProjectionRun.digest,
    ProjectionRun.created_at,
    ProjectionRun.finished_at,
)


def watermark(session: Session, names: Iterable[str]) -> int:
    """The position up to which all of these projections have read the archive; 0 before one has begun."""
    wanted = list(names)
    query = select(func.min(ProjectionRun.watermark), func.count()).where(
        ProjectionRun.state == "live", ProjectionRun.name.in_(wanted)
    )
    position, known = session.execute(query).one()
    return position if known == len(wanted) else 0


def projection_runs(session: Session, name: str | None = None) -> list[dict[str, Any]]:
    """Every live and building run, and the last failed one of each name; of one projection where named."""
    last_failed = (
        select(func.max(ProjectionRun.id.cast(ProjectionRun.name.type)))
        .where(ProjectionRun.state == "failed")
        .group_by(ProjectionRun.name)
    )
    blocked = (
        select(func.count())
        .where(BlockedKey.run_id == ProjectionRun.id)
        .correlate(ProjectionRun)
        .scalar_subquery()
    )
    query = (
        select(*_SHOWN, blocked.label("blocked"))
        .where(
            ProjectionRun.state.in_(("live", "building"))
            | ProjectionRun.id.cast(ProjectionRun.name.type).in_(last_failed)
        )
        .order_by(ProjectionRun.name, ProjectionRun.id)
    )
    if name is not None:
        query = query.where(ProjectionRun.name == name)
    return [dict(row) for row in session.execute(query).mappings()]


def live_digest(session: Session, tables: Iterable[str]) -> dict[str, Any]:
    """The digest of the live tables as they are now."""
    return digest_of(session, tables)


def blocked_keys(session: Session, name: str) -> list[dict[str, Any]]:
    """The keys that wait in the live run, and the facts that were skipped; oldest first."""
    waiting = (
        select(
            BlockedKey.key, BlockedKey.event_id, BlockedKey.position, BlockedKey.error, BlockedKey.blocked_at
        )
        .join(ProjectionRun, ProjectionRun.id == BlockedKey.run_id)
        .where(ProjectionRun.name == name, ProjectionRun.state == "live")
        .order_by(BlockedKey.position)
    )
    return [dict(row) for row in session.execute(waiting).mappings()]


def skipped_facts(session: Session, name: str) -> list[dict[str, Any]]:
    """The facts that people left out of a projection, oldest first."""
    s = SkippedFact
    query = (
        select(s.key, s.event_id, s.reason, s.actor_id, s.skipped_at)
        .where(s.projection == name)
        .order_by(s.skipped_at)
    )
    return [dict(row) for row in session.execute(query).mappings()]
