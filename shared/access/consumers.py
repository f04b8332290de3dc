"""Handlers that keep the local copy of people, machines, teams and revocations; every service lists them among its own.

Facts carry full state and are applied only if newer than what is stored, so their order does not matter.
"""

from __future__ import annotations

from marshmallow import Schema, fields
from sqlalchemy import Table, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert

from shared.access.tables import PRINCIPALS, REVOKED_SESSIONS, ROLE_VERSIONS, TEAMS
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = [
    "HANDLERS",
    "remember_api_client",
    "remember_revocation",
    "remember_role",
    "remember_team",
    "remember_user",
]


class UserState(Schema):
    """What is kept of a user."""

    user_id = fields.UUID(required=True)
    email = fields.String(required=True, allow_none=True)
    display_name = fields.String(required=True)
    manager_id = fields.UUID(required=True, allow_none=True)
    team_ids = fields.List(fields.UUID(), required=True)
    epoch = fields.Integer(required=True)
    active = fields.Boolean(required=True)


class TeamState(Schema):
    """What is kept of a team."""

    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    lead_id = fields.UUID(required=True, allow_none=True)
    member_ids = fields.List(fields.UUID(), required=True)


class ApiClientState(Schema):
    """What is kept of an API client."""

    api_client_id = fields.UUID(required=True)
    client_id = fields.String(required=True)
    name = fields.String(required=True)
    epoch = fields.Integer(required=True)
    active = fields.Boolean(required=True)


class RoleState(Schema):
    """What is kept of a role."""

    role_id = fields.UUID(required=True)
    name = fields.String(required=True)
    role_version = fields.Integer(required=True)


class Revocation(Schema):
    """What is kept of a session that ended early."""

    session_id = fields.UUID(required=True)
    subject_id = fields.UUID(required=True)
    expires_at = fields.AwareDateTime(required=True)


def _replacing(table: Table) -> Insert:
    """A statement that inserts a row, or replaces it unless a newer version of it is stored. It is put together once:
    that takes longer than to carry it out."""
    statement = insert(table)
    newer = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(
        index_elements=["id"], set_=newer, where=table.c.version < statement.excluded.version
    )


_REPLACE_PRINCIPAL = _replacing(PRINCIPALS)
_REPLACE_TEAM = _replacing(TEAMS)


def _replacing_role() -> Insert:
    """The same for a role, by its name. A name can be given again once its role was deleted: the ids tell which came
    later (RFC 9562, 5.7), so that its versions start anew whatever is heard first."""
    c, statement = ROLE_VERSIONS.c, insert(ROLE_VERSIONS)
    later = tuple_(c.role_id, c.version) < tuple_(statement.excluded.role_id, statement.excluded.version)
    newer = {name: statement.excluded[name] for name in ("role_id", "role_version", "version")}
    return statement.on_conflict_do_update(index_elements=["name"], set_=newer, where=later)


_REPLACE_ROLE = _replacing_role()
_ADD_REVOCATION = insert(REVOKED_SESSIONS).on_conflict_do_nothing()


@handles(
    "crm.identity.user.created.v1",
    "crm.identity.user.changed.v1",
    "crm.identity.user.deactivated.v1",
    reads=UserState,
)
def remember_user(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a user's name, manager, teams, epoch and whether they are active."""
    state = dict(fact.data)
    row = {"id": state.pop("user_id"), "kind": "staff", "client_id": None, "version": fact.version, **state}
    uow.session.execute(_REPLACE_PRINCIPAL, row)


@handles("crm.identity.team.changed.v1", reads=TeamState)
def remember_team(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a team, its lead and its place below another team."""
    state = dict(fact.data)
    uow.session.execute(_REPLACE_TEAM, {"id": state.pop("team_id"), "version": fact.version, **state})


@handles("crm.identity.api_client.changed.v1", reads=ApiClientState)
def remember_api_client(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a machine's epoch and whether it is let in."""
    state = dict(fact.data)
    row = {
        "id": state.pop("api_client_id"),
        "kind": "machine",
        "display_name": state.pop("name"),
        "email": None,
        "manager_id": None,
        "team_ids": [],
        "version": fact.version,
        **state,
    }
    uow.session.execute(_REPLACE_PRINCIPAL, row)


@handles("crm.identity.role.changed.v1", reads=RoleState)
def remember_role(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a role's version: tokens that name an older one are refused."""
    uow.session.execute(_REPLACE_ROLE, {"version": fact.version, **fact.data})


@handles("crm.identity.session.revoked.v1", reads=Revocation)
def remember_revocation(fact: Fact, uow: UnitOfWork) -> None:
    """Keep that a session has ended, until its last token would have ended anyway."""
    uow.session.execute(_ADD_REVOCATION, dict(fact.data))


HANDLERS = (remember_user, remember_team, remember_api_client, remember_role, remember_revocation)
