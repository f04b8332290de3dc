"""Who sees which record, as part of the query itself.

`own`: I own it or work on it. `team`: own, or its owner is in one of my teams, in a team I lead or one below
it, or reports to me through any number of managers. `territory` is `team` here: only sales knows territories.
Portal logins see their account's records, and only their own of these unless they have sight of the whole
account."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, any_, false, func, literal, or_, select, true, union
from sqlalchemy.orm import InstrumentedAttribute

from shared.access.principal import Principal
from shared.access.tables import PRINCIPALS, TEAMS

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
            return _own(me, owner, collaborators)
        case "team" | "territory" if me is not None:
            return or_(_own(me, owner, collaborators), owner == any_(colleagues(me)))
        case _:
            return false()


def _own(me: uuid.UUID, owner: Column, collaborators: Column | None) -> ColumnElement[bool]:
    if collaborators is None:
        return owner == me
    member = [me] if isinstance(collaborators.type, ARRAY) else [str(me)]
    return or_(owner == me, collaborators.bool_op("@>")(literal(member, collaborators.type)))


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


def colleagues(me: uuid.UUID) -> ColumnElement[Any]:
    """The ids of everybody whose records `me` sees by `team` reach, as an array that the database works out
    once per statement (`owner = ANY(...)` can then use an index, which a join with a recursive query would
    not)."""
    myself = literal(me)
    reports = select(myself.label("id")).cte("reports", recursive=True, nesting=True)
    reports = reports.union(select(PRINCIPALS.c.id).join(reports, PRINCIPALS.c.manager_id == reports.c.id))
    led = select(TEAMS.c.id).where(TEAMS.c.lead_id == me).cte("led", recursive=True, nesting=True)
    led = led.union(select(TEAMS.c.id).join(led, TEAMS.c.parent_id == led.c.id))
    mine = select(func.unnest(PRINCIPALS.c.team_ids).label("id")).where(PRINCIPALS.c.id == me)
    teams = func.array(union(mine, select(led.c.id)).scalar_subquery())
    members = select(PRINCIPALS.c.id).where(PRINCIPALS.c.team_ids.overlap(teams))
    return func.array(union(select(reports.c.id), members).scalar_subquery())
