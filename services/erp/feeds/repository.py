"""Read and move the cursors of feeds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.erp.feeds.model import Feed

__all__ = ["Feeds"]


class Feeds:
    """The feeds of one session; migrations make one per entity."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def cursor(self, entity: str) -> str | None:
        """Where to go on reading."""
        return self._session.scalar(select(Feed.cursor).where(Feed.entity == entity))

    def move(self, entity: str, old: str | None, new: str, now: datetime) -> None:
        """Go on from `new`, unless another process has moved the cursor meanwhile."""
        self._session.execute(
            update(Feed)
            .where(Feed.entity == entity, Feed.cursor.is_not_distinct_from(old))
            .values(cursor=new, moved_at=now)
        )
