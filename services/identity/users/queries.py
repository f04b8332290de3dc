"""Read users."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from services.identity.org_tree import chart
from services.identity.users.model import User
from services.identity.users.repository import Users
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["find_user", "get_user", "list_users", "org_chart"]

_LISTED = (
    User.id,
    User.version,
    User.email,
    User.display_name,
    User.state,
    User.manager_id,
    User.team_ids,
    User.role_names,
    User.locale,
    User.time_zone,
    User.phone_extension,
    User.created_at,
    User.updated_at,
)


def _matches(text: str) -> ColumnElement[bool]:
    return or_(
        User.display_name.icontains(text, autoescape=True), User.email.icontains(text, autoescape=True)
    )


_USERS = Listing(
    select(*_LISTED),
    key=User.id,
    filters={
        "state": equals(User.state),
        "email": equals(User.email),
        "manager_id": equals(User.manager_id),
        "team_id": lambda value: User.team_ids.contains([value]),
        "role": lambda value: User.role_names.contains([value]),
        "ids": one_of(User.id),
        "q": _matches,
    },
    sorts={"display_name": User.display_name, "email": User.email, "created_at": User.created_at},
)


def _visible(principal: Principal) -> ColumnElement[bool]:
    return reach_filter(principal, "user.read", owner=User.id)


def list_users(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of users."""
    return _USERS.page(session, arguments, _visible(principal))


def get_user(session: Session, principal: Principal, user_id: uuid.UUID) -> User:
    """One user. Raises NotFound, also for whom the caller may not see."""
    return Users(session).get(user_id, where=_visible(principal))


def find_user(session: Session, user_id: uuid.UUID | None) -> User | None:
    """The user with this id, whoever asks; None where there is none."""
    return None if user_id is None else Users(session).find(user_id)


def org_chart(session: Session, principal: Principal) -> list[dict[str, Any]]:
    """Everybody the caller may see and who has not left, each directly followed by their reports."""
    query = select(User.id, User.display_name, User.manager_id, User.team_ids, User.state)
    query = query.where(User.state != "deactivated", _visible(principal))
    people = {row.id: row for row in session.execute(query.order_by(User.display_name, User.id))}
    levels = chart({row.id: row.manager_id for row in people.values()})
    return [{**people[user_id]._mapping, "level": level} for user_id, level in levels]
