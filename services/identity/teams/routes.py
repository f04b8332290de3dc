"""Teams over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.identity.processes import staffing
from services.identity.teams import queries
from services.identity.teams.schemas import CreateTeam, EditTeam, TeamFilters, TeamOut, TeamRow
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.teams.model import Team

__all__ = ["blueprint"]

blueprint = Blueprint("teams", __name__, url_prefix="/v1/teams", description="Who works together")


@blueprint.get("", permission="team.read")
@blueprint.arguments(TeamFilters, location="query")
@blueprint.page(TeamRow)
def list_teams(filters: dict[str, Any]) -> Page:
    """List teams."""
    return queries.list_teams(session(), filters)


@blueprint.post("", permission="team.edit")
@blueprint.arguments(CreateTeam)
@blueprint.response(201, TeamOut)
def create_team(values: dict[str, Any]) -> Team:
    """Make a team."""
    return staffing.create_team(values, unit_of_work())


@blueprint.get("/<uuid:team_id>", permission="team.read")
@blueprint.response(200, TeamOut)
def get_team(team_id: uuid.UUID) -> Team:
    """Read a team."""
    return queries.get_team(session(), team_id)


@blueprint.patch("/<uuid:team_id>", permission="team.edit")
@blueprint.arguments(EditTeam)
@blueprint.response(200, TeamOut)
def edit_team(changes: dict[str, Any], team_id: uuid.UUID, expected_version: int) -> Team:
    """Change a team and who belongs to it."""
    return staffing.edit_team(team_id, changes, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:team_id>/dissolve", permission="team.edit", if_match=True)
@blueprint.response(200, TeamOut)
def dissolve_team(team_id: uuid.UUID, expected_version: int) -> Team:
    """End a team."""
    return staffing.dissolve_team(team_id, unit_of_work(), expected_version=expected_version)
