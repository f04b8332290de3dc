"""Read teams."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.identity.teams.model import Team
from services.identity.teams.repository import Teams
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_team", "list_teams"]

_TEAMS = Listing(
    select(*Team.__table__.columns),
    key=Team.id,
    filters={
        "name": equals(Team.name),
        "kind": equals(Team.kind),
        "state": equals(Team.state),
        "parent_id": equals(Team.parent_id),
        "lead_id": equals(Team.lead_id),
        "member_id": lambda value: Team.member_ids.contains([value]),
        "ids": one_of(Team.id),
    },
    sorts={"name": Team.name, "created_at": Team.created_at},
)


def list_teams(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of teams."""
    return _TEAMS.page(session, arguments)


def get_team(session: Session, team_id: uuid.UUID) -> Team:
    """One team. Raises NotFound."""
    return Teams(session).get(team_id)
