"""What a user may do: the union of what their roles give."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from services.identity.access_token import Bearer
from services.identity.grants import combine, reach_of
from services.identity.roles.repository import Roles
from services.identity.users.model import User
from shared.access.principal import ALL_PERMISSIONS, Reach
from shared.contracts.policy import Policy

__all__ = ["Right", "explain_rights", "staff_bearer"]


@dataclass(frozen=True, slots=True)
class Right:
    """A permission that a user holds. `roles`: those of their roles that give this very reach."""

    permission: str
    reach: Reach
    says: str
    roles: Sequence[str]


def staff_bearer(
    session: Session, user: User, client_id: str, *, confirmed: bool = False, actor: uuid.UUID | None = None
) -> Bearer:
    """`user` as the bearer of a token that the client `client_id` asks for."""
    roles = Roles(session).named(user.role_names)
    return Bearer(
        subject=user.id,
        kind="staff",
        client_id=client_id,
        epoch=user.epoch,
        permissions=combine(role.grants for role in roles),
        roles={role.name: role.role_version for role in roles},
        confirmed=confirmed,
        actor=actor,
    )


def explain_rights(session: Session, user: User) -> list[Right]:
    """Every permission of the suite that `user` holds, by name, with the roles that give it."""
    roles = Roles(session).named(user.role_names)
    held = combine(role.grants for role in roles)
    found = []
    for name, permission in sorted(Policy.load().permissions.items()):
        reach = reach_of(held, name)
        if reach is None:
            continue
        givers = [role.name for role in roles if reach_of(role.grants, name) == reach]
        # Who holds everything holds each permission as far as it goes, which may be less far than `all`.
        shown = permission.widest if ALL_PERMISSIONS in held else reach
        found.append(Right(name, cast("Reach", shown), permission.says, givers))
    return found
