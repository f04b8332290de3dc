"""Read roles and the vocabulary they are made of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.identity.roles.model import Role
from services.identity.roles.repository import Roles
from shared.contracts.policy import Permission, Policy
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_role", "list_permissions", "list_roles"]

_ROLES = Listing(
    select(*Role.__table__.columns),
    key=Role.id,
    filters={
        "name": equals(Role.name),
        "state": equals(Role.state),
        "built_in": equals(Role.built_in),
        "ids": one_of(Role.id),
    },
    sorts={"name": Role.name, "created_at": Role.created_at},
)


def list_roles(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of roles."""
    return _ROLES.page(session, arguments)


def get_role(session: Session, role_id: uuid.UUID) -> Role:
    """One role. Raises NotFound."""
    return Roles(session).get(role_id)


def list_permissions() -> list[Permission]:
    """Every permission of the suite, by service and name."""
    return sorted(Policy.load().permissions.values(), key=lambda found: (found.service, found.name))
