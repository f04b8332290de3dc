"""Make, change and dissolve teams. Who belongs to one is settled in `processes/staffing.py`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.identity.database import lock_organisation
from services.identity.org_tree import refuse_move
from services.identity.teams.errors import TeamHasParts, TeamRing, UnknownTeam
from services.identity.teams.model import Team
from services.identity.teams.repository import Teams
from shared.db.unit_of_work import UnitOfWork

__all__ = ["create_team", "dissolve_team", "edit_team"]


def create_team(values: Mapping[str, Any], uow: UnitOfWork) -> Team:
    """Make a team without members. Raises UnknownTeam (parent), TeamRing."""
    with uow:
        lock_organisation(uow.session)
        teams = Teams(uow.session)
        team = Team.create(values)
        if team.parent_id is not None:
            _check_parent(teams, team.id, team.parent_id)
        return teams.add(team)


def edit_team(
    team_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int | None
) -> Team:
    """Change name, kind, lead or place. Raises NotFound, Stale, IllegalState, UnknownTeam, TeamRing."""
    with uow:
        lock_organisation(uow.session)
        teams = Teams(uow.session)
        team = teams.get(team_id, expected_version=expected_version)
        parent_id = changes.get("parent_id")
        if parent_id is not None and parent_id != team.parent_id:
            _check_parent(teams, team.id, parent_id)
        team.edit(changes)
        return team


def dissolve_team(team_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Team:
    """End a team. Raises NotFound, Stale, IllegalState, TeamHasParts."""
    with uow:
        lock_organisation(uow.session)
        teams = Teams(uow.session)
        team = teams.get(team_id, expected_version=expected_version)
        if teams.has_parts(team.id):
            raise TeamHasParts("Move or dissolve the teams that are part of it first.")
        team.dissolve()
        return team


def _check_parent(teams: Teams, team_id: uuid.UUID, parent_id: uuid.UUID) -> None:
    if parent_id != team_id and not teams.active([parent_id]):
        raise UnknownTeam.field("/parent_id", "Name an active team.")
    refusal = refuse_move(teams.parents(), team_id, parent_id)
    if refusal is not None:
        raise TeamRing.field("/parent_id", refusal)
