"""Who sees which record, as part of the query itself.

`own`: I own it or work on it. `team`: own, or its owner is in one of my teams, in a team I lead or one below
it, or reports to me through any number of managers. `territory` is `team` here: only sales knows territories.
Portal logins see their account's records, and only their own of these unless they have sight of the whole
account."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Uuid,
    any_,
    bindparam,
    false,
    literal,
    or_,
    text,
    true,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute

from shared.access.principal import Principal

__all__ = ["colleagues", "reach_filter"]

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def reach_filter(
    principal: Principal,
    permission: str,
    *,
    owner: Column,
    collaborators: Column | None = None,
    account: Column | None = None,
    contact: Column | None = None,
) -> ColumnElement[bool]:
    """The condition under which `principal` may do `permission` to a row.

    `owner`: the owner's id. `collaborators`: ids of those who work on it, a uuid array or a JSON list of
    strings. `account` and `contact`: whose record it is; without `account` portal logins see nothing."""
    if principal.kind == "portal":
        return _portal(principal, permission, account, contact)
    me = principal.user_id
    match principal.reach(permission):
        case "all":
            return true()
        case "own" if me is not None:
            return _with_collaborators(me, owner == me, collaborators)
        case "team" | "territory" if me is not None:
            return _with_collaborators(me, owner == any_(colleagues(me)), collaborators)
        case _:
            return false()


def _with_collaborators(
    me: uuid.UUID, owned: ColumnElement[bool], collaborators: Column | None
) -> ColumnElement[bool]:
    """`owned`, or `me` is among the collaborators."""
    if collaborators is None:
        return owned
    member = [me] if isinstance(collaborators.type, ARRAY) else [str(me)]
    return or_(owned, collaborators.bool_op("@>")(literal(member, collaborators.type)))


def _portal(
    principal: Principal,
    permission: str,
    account: Column | None,
    contact: Column | None,
) -> ColumnElement[bool]:
    if account is None or not principal.may(permission):
        return false()
    mine = account == principal.account_id
    if principal.sight == "account":
        return mine
    return false() if contact is None else mine & (contact == principal.contact_id)


# Text rather than an expression: building the expression for every request took longer than running it.
_COLLEAGUES = text(
    """
    (ARRAY(
        WITH RECURSIVE reports(id) AS (
            SELECT CAST(:reach_of AS uuid)
            UNION
            SELECT principals.id FROM principals JOIN reports ON principals.manager_id = reports.id
        ), led(id) AS (
            SELECT id FROM teams WHERE lead_id = :reach_of
            UNION
            SELECT teams.id FROM teams JOIN led ON teams.parent_id = led.id
        )
        SELECT id FROM reports
        UNION
        SELECT id FROM principals WHERE team_ids && ARRAY(
            SELECT unnest(team_ids) FROM principals WHERE id = :reach_of
            UNION
            SELECT id FROM led
        )
    ))
    """
)


def colleagues(me: uuid.UUID) -> ColumnElement[Any]:
    """The ids of everybody whose records `me` sees by `team` reach, as an array that the database works out
    once per statement (`owner = ANY(...)` can then use an index, which a join with a recursive query would
    not)."""
    bound = _COLLEAGUES.bindparams(bindparam("reach_of", me, Uuid, unique=True))
    return type_coerce(bound, ARRAY(Uuid))
