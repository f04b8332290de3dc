"""Users, their roles and their teams: joining or leaving a team changes both, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from services.identity.database import lock_organisation
from services.identity.grants import check_grants
from services.identity.organisation.repository import Organisations
from services.identity.roles.errors import RoleHeld, UnknownRole
from services.identity.roles.model import Role
from services.identity.roles.repository import Roles
from services.identity.teams import use_cases as team_use_cases
from services.identity.teams.errors import UnknownPerson, UnknownTeam
from services.identity.teams.model import Team
from services.identity.teams.repository import Teams
from services.identity.users import use_cases as user_use_cases
from services.identity.users.errors import SelfGrant
from services.identity.users.model import User
from services.identity.users.repository import Users
from services.identity.users.use_cases import Invitation
from shared.access import Principal
from shared.contracts.policy import PORTAL_ROLES
from shared.db.unit_of_work import UnitOfWork

__all__ = [
    "create_team",
    "delete_role",
    "dissolve_team",
    "edit_team",
    "edit_user",
    "invite_user",
    "reactivate_user",
    "resend_invitation",
]


def invite_user(values: Mapping[str, Any], uow: UnitOfWork, *, by: Principal) -> Invitation:
    """Invite a user with roles and teams.

    Raises EmailTaken, UnknownManager, ManagerRing, UnknownRole, GrantExceedsOwn, UnknownTeam.
    """
    with uow:
        lock_organisation(uow.session)
        given = {**values, "role_names": sorted(set(values["role_names"]))}
        _check_roles(uow, given["role_names"], by)
        given["team_ids"] = sorted(set(values["team_ids"]))
        given["time_zone"] = values["time_zone"] or Organisations(uow.session).only().company_zone
        teams = _active_teams(uow, given["team_ids"])
        invitation = user_use_cases.invite_user(given, uow)
        for team in teams:
            team.set_members([*team.member_ids, invitation.user.id])
        return invitation


def edit_user(
    user_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    by: Principal,
    expected_version: int | None,
) -> User:
    """Change a user, their roles and teams.

    Raises what `users.use_cases.edit_user` raises, SelfGrant, UnknownRole, GrantExceedsOwn, UnknownTeam.
    """
    with uow:
        lock_organisation(uow.session)
        user = Users(uow.session).get(user_id, expected_version=expected_version)
        given = dict(changes)
        if "role_names" in given:
            given["role_names"] = sorted(set(given["role_names"]))
            if given["role_names"] != user.role_names:
                if user.id == by.user_id:
                    raise SelfGrant("Ask another administrator to change your roles.")
                _check_roles(uow, set(given["role_names"]) - set(user.role_names), by)
        if "team_ids" in given:
            given["team_ids"] = sorted(set(given["team_ids"]))
            _move_between_teams(uow, user, given["team_ids"])
        return user_use_cases.edit_user(user_id, given, uow, expected_version=expected_version)


def resend_invitation(
    user_id: uuid.UUID, uow: UnitOfWork, *, by: Principal, expected_version: int | None
) -> Invitation:
    """Invite again who has not come yet. Raises NotFound, Stale, IllegalState, GrantExceedsOwn."""
    with uow:
        _check_roles(uow, Users(uow.session).get(user_id).role_names, by)
        return user_use_cases.resend_invitation(user_id, uow, expected_version=expected_version)


def reactivate_user(
    user_id: uuid.UUID, uow: UnitOfWork, *, by: Principal, expected_version: int | None
) -> Invitation:
    """Invite who had left. Raises NotFound, Stale, IllegalState, UnknownManager, GrantExceedsOwn."""
    with uow:
        _check_roles(uow, Users(uow.session).get(user_id).role_names, by)
        return user_use_cases.reactivate_user(user_id, uow, expected_version=expected_version)


def create_team(values: Mapping[str, Any], uow: UnitOfWork) -> Team:
    """Make a team with its members. Raises UnknownTeam (parent), TeamRing, UnknownPerson."""
    with uow:
        lock_organisation(uow.session)
        given = dict(values)
        members = given.pop("member_ids")
        _check_lead(uow, given)
        team = team_use_cases.create_team(given, uow)
        _set_members(uow, team, members)
        return team


def edit_team(
    team_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int | None
) -> Team:
    """Change a team and its members. Raises what `teams.use_cases.edit_team` raises, UnknownPerson."""
    with uow:
        lock_organisation(uow.session)
        given = dict(changes)
        members = given.pop("member_ids", None)
        _check_lead(uow, given)
        team = team_use_cases.edit_team(team_id, given, uow, expected_version=expected_version)
        if members is not None:
            _set_members(uow, team, members)
        return team


def dissolve_team(team_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Team:
    """End a team; its members belong to it no more. Raises NotFound, Stale, IllegalState, TeamHasParts."""
    with uow:
        lock_organisation(uow.session)
        members = Users(uow.session).named(Teams(uow.session).get(team_id).member_ids)
        team = team_use_cases.dissolve_team(team_id, uow, expected_version=expected_version)
        for user in members:
            user.set_teams(set(user.team_ids) - {team.id})
        return team


def delete_role(role_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Role:
    """End a role that nobody holds. Raises NotFound, Stale, BuiltInRole, IllegalState, RoleHeld."""
    with uow:
        lock_organisation(uow.session)
        role = Roles(uow.session).get(role_id, expected_version=expected_version)
        holders = [] if role.built_in else Users(uow.session).holders_of(role.name)
        if holders:
            raise RoleHeld(
                f"{len(holders)} hold the role {role.name}. Take it from them first.",
                holders=[str(user.id) for user in holders],
            )
        role.delete()
        return role


def _check_roles(uow: UnitOfWork, names: Iterable[str], by: Principal) -> None:
    """Raise UnknownRole for what is no role for staff, GrantExceedsOwn when one gives more than `by` has."""
    roles = {role.name: role for role in Roles(uow.session).named(names)}
    for name in names:
        if name not in roles or name in PORTAL_ROLES:
            raise UnknownRole.field("/role_names", f"There is no role {name} for staff.")
        check_grants(roles[name].grants, by.permissions)


def _active_teams(uow: UnitOfWork, team_ids: Iterable[uuid.UUID]) -> list[Team]:
    wanted = set(team_ids)
    found = Teams(uow.session).active(wanted)
    if len(found) < len(wanted):
        raise UnknownTeam.field("/team_ids", "Name active teams only.")
    return found


def _move_between_teams(uow: UnitOfWork, user: User, team_ids: Iterable[uuid.UUID]) -> None:
    wanted, present = set(team_ids), set(user.team_ids)
    for team in _active_teams(uow, wanted - present):
        team.set_members([*team.member_ids, user.id])
    for team in Teams(uow.session).active(present - wanted):
        team.set_members(set(team.member_ids) - {user.id})


def _set_members(uow: UnitOfWork, team: Team, member_ids: Iterable[uuid.UUID]) -> None:
    wanted, present = set(member_ids), set(team.member_ids)
    changed = Users(uow.session).named(wanted ^ present)
    joining = [user for user in changed if user.id in wanted]
    if len(joining) < len(wanted - present) or any(user.has_left for user in joining):
        raise UnknownPerson.field("/member_ids", "Name users who have not left.")
    team.set_members(wanted)
    for user in changed:
        user.set_teams(set(user.team_ids) ^ {team.id})


def _check_lead(uow: UnitOfWork, changes: Mapping[str, Any]) -> None:
    lead_id = changes.get("lead_id")
    lead = None if lead_id is None else Users(uow.session).find(lead_id)
    if lead_id is not None and (lead is None or lead.has_left):
        raise UnknownPerson.field("/lead_id", "Name a user who has not left.")
