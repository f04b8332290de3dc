"""Handlers that keep the local copy of people and teams; every service lists them among its own.

Facts carry full state and are applied only if newer than what is stored, so their order does not matter.
"""

from __future__ import annotations

from marshmallow import Schema, fields
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert

from shared.access.tables import PRINCIPALS, TEAMS
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS", "remember_team", "remember_user"]


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


@handles(
    "crm.identity.user.created.v1",
    "crm.identity.user.changed.v1",
    "crm.identity.user.deactivated.v1",
    reads=UserState,
)
def remember_user(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a user's name, manager, teams, epoch and whether he is active."""
    state = dict(fact.data)
    row = {"id": state.pop("user_id"), "kind": "staff", "version": fact.version, **state}
    uow.session.execute(_REPLACE_PRINCIPAL, row)


@handles("crm.identity.team.changed.v1", reads=TeamState)
def remember_team(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a team, its lead and its place below another team."""
    state = dict(fact.data)
    uow.session.execute(_REPLACE_TEAM, {"id": state.pop("team_id"), "version": fact.version, **state})


HANDLERS = (remember_user, remember_team)
