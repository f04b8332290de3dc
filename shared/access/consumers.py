"""Handlers that keep the local copy of people and teams; every service lists them among its own.

Facts carry full state and are applied only if newer than what is stored, so their order does not matter.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

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


@handles(
    "crm.identity.user.created.v1",
    "crm.identity.user.changed.v1",
    "crm.identity.user.deactivated.v1",
    reads=UserState,
)
def remember_user(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a user's name, manager, teams, epoch and whether he is active."""
    state = dict(fact.data)
    _keep(
        uow.session,
        PRINCIPALS,
        {"id": state.pop("user_id"), "kind": "staff", "version": fact.version, **state},
    )


@handles("crm.identity.team.changed.v1", reads=TeamState)
def remember_team(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a team, its lead and its place below another team."""
    state = dict(fact.data)
    _keep(uow.session, TEAMS, {"id": state.pop("team_id"), "version": fact.version, **state})


def _keep(session: Session, table: Table, row: dict[str, Any]) -> None:
    """Insert or replace `row` unless a newer version of it is stored."""
    statement = insert(table).values(row)
    newer = {name: statement.excluded[name] for name in row if name != "id"}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_=newer, where=table.c.version < statement.excluded.version
        )
    )


HANDLERS = (remember_user, remember_team)
