"""Make and change roles of the company's own, and keep the built-in ones as the policy file has them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, cast

from services.identity.database import lock_organisation
from services.identity.grants import ADMIN, Grants, check_grants
from services.identity.roles.errors import GrantNotInPolicy, RoleExists
from services.identity.roles.model import Role
from services.identity.roles.repository import Roles
from shared.access.principal import ALL_PERMISSIONS, Reach
from shared.contracts.policy import ROLES, Policy
from shared.db.unit_of_work import UnitOfWork

__all__ = ["create_role", "edit_role", "refresh_built_in_roles"]


def create_role(values: Mapping[str, Any], uow: UnitOfWork, *, own: Grants) -> Role:
    """Make a role; `own` is what the caller may. Raises RoleExists, GrantNotInPolicy, GrantExceedsOwn."""
    with uow:
        lock_organisation(uow.session)
        roles = Roles(uow.session)
        if roles.named([values["name"]]):
            raise RoleExists(f"There is a role {values['name']}. Change that one or choose another name.")
        _check_policy(values["grants"])
        check_grants(values["grants"], own)
        return roles.add(Role.create(values))


def edit_role(
    role_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    own: Grants,
    expected_version: int | None,
) -> Role:
    """Change a role. Raises NotFound, Stale, BuiltInRole, IllegalState, GrantNotInPolicy, GrantExceedsOwn."""
    with uow:
        role = Roles(uow.session).get(role_id, expected_version=expected_version)
        if "grants" in changes:
            _check_policy(changes["grants"])
            check_grants(changes["grants"], own)
        role.edit(changes)
        return role


def refresh_built_in_roles(uow: UnitOfWork, policy: Policy) -> None:
    """Give the built-in roles what `policy` says; a role whose grants differ gets a new version."""
    with uow:
        lock_organisation(uow.session)
        roles = Roles(uow.session)
        known = {role.name: role for role in roles.named(ROLES)}
        for name in ROLES:
            # A list would leave out what the next version of the suite adds, until the next refresh.
            listed = {ALL_PERMISSIONS: "all"} if name == ADMIN else policy.roles[name]
            grants = cast("dict[str, Reach]", dict(listed))
            if name in known:
                known[name].grant(grants)
            else:
                says = f"{name.replace('_', ' ').capitalize()}, as it comes with the suite"
                roles.add(Role.create({"name": name, "says": says, "grants": grants}, built_in=True))


def _check_policy(grants: Grants) -> None:
    permissions = Policy.load().permissions
    for name, reach in grants.items():
        if name not in permissions:
            raise GrantNotInPolicy.field(f"/grants/{name}", "The suite has no such permission.")
        if reach not in permissions[name].reach:
            allowed = ", ".join(permissions[name].reach)
            raise GrantNotInPolicy.field(f"/grants/{name}", f"The permission has the reach {allowed}.")
