"""Roles over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.identity.processes import staffing
from services.identity.roles import queries, use_cases
from services.identity.roles.schemas import CreateRole, EditRole, Permissions, RoleFilters, RoleOut, RoleRow
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.roles.model import Role

__all__ = ["blueprint", "vocabulary"]

blueprint = Blueprint("roles", __name__, url_prefix="/v1/roles", description="Named sets of permissions")
vocabulary = Blueprint(
    "vocabulary", __name__, url_prefix="/v1/permissions", description="What roles are made of"
)


@blueprint.get("", permission="role.read")
@blueprint.arguments(RoleFilters, location="query")
@blueprint.page(RoleRow)
def list_roles(filters: dict[str, Any]) -> Page:
    """List roles."""
    return queries.list_roles(session(), filters)


@blueprint.post("", permission="role.edit")
@blueprint.arguments(CreateRole)
@blueprint.response(201, RoleOut)
def create_role(values: dict[str, Any]) -> Role:
    """Make a role."""
    return use_cases.create_role(values, unit_of_work(), own=principal().permissions)


@blueprint.get("/<uuid:role_id>", permission="role.read")
@blueprint.response(200, RoleOut)
def get_role(role_id: uuid.UUID) -> Role:
    """Read a role."""
    return queries.get_role(session(), role_id)


@blueprint.patch("/<uuid:role_id>", permission="role.edit")
@blueprint.arguments(EditRole)
@blueprint.response(200, RoleOut)
def edit_role(changes: dict[str, Any], role_id: uuid.UUID, expected_version: int) -> Role:
    """Change a role of the company's own."""
    return use_cases.edit_role(
        role_id, changes, unit_of_work(), own=principal().permissions, expected_version=expected_version
    )


@blueprint.delete("/<uuid:role_id>", permission="role.edit")
@blueprint.response(200, RoleOut)
def delete_role(role_id: uuid.UUID, expected_version: int) -> Role:
    """Delete a role that nobody holds."""
    return staffing.delete_role(role_id, unit_of_work(), expected_version=expected_version)


@vocabulary.get("", permission="role.read")
@vocabulary.response(200, Permissions)
def list_permissions() -> dict[str, Any]:
    """List every permission of the suite with the reach it may have."""
    return {"items": queries.list_permissions()}
