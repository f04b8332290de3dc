"""Get and find teams."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import exists, select

from services.identity.teams.model import Team
from shared.db.repository import Repository

__all__ = ["Teams"]


class Teams(Repository[Team]):
    """The teams of one session."""

    model = Team

    def active(self, team_ids: Iterable[uuid.UUID]) -> list[Team]:
        """Those of `team_ids` that are active, by id."""
        wanted = Team.id.in_(list(team_ids))
        query = select(Team).where(wanted, Team.state == "active").order_by(Team.id)
        return list(self.session.scalars(query))

    def has_parts(self, team_id: uuid.UUID) -> bool:
        """Whether teams are part of `team_id`."""
        return bool(self.session.scalar(select(exists().where(Team.parent_id == team_id))))

    def parents(self) -> dict[uuid.UUID, uuid.UUID | None]:
        """Each team's parent."""
        return {row.id: row.parent_id for row in self.session.execute(select(Team.id, Team.parent_id))}
