"""What callers send and get of roles."""

from __future__ import annotations

from marshmallow import validate

from shared.access.principal import REACHES
from shared.web import Schema, fields

__all__ = ["CreateRole", "EditRole", "Permissions", "RoleFilters", "RoleOut", "RoleRow"]

_NAME = validate.Regexp(r"^[a-z][a-z0-9_]{1,63}\Z", error="Lower case letters, digits and underscores.")
_STATES = ("active", "deleted")


def _grants(*, required: bool = False) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Length(max=80)),
        values=fields.Enum(*REACHES),
        required=required,
        metadata={"description": "Permission to reach"},
    )


class EditRole(Schema):
    """The fields to change; those left out stay as they are."""

    says = fields.Text(300)
    grants = _grants()


class CreateRole(Schema):
    name = fields.String(required=True, validate=_NAME)
    says = fields.Text(300, required=True)
    grants = _grants(required=True)


class RoleRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    says = fields.String()
    built_in = fields.Boolean()
    role_version = fields.Integer(metadata={"description": "Moves with the grants; tokens name it"})
    grants = fields.Dict(keys=fields.String(), values=fields.String())
    state = fields.Enum(*_STATES)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class RoleOut(RoleRow):
    allowed = fields.List(fields.String())


class RoleFilters(Schema):
    name = fields.String(validate=_NAME)
    state = fields.Enum(*_STATES)
    built_in = fields.Boolean()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "created_at", default="name")


class PermissionOut(Schema):
    name = fields.String()
    service = fields.String()
    says = fields.String()
    reach = fields.List(fields.String())
    pii = fields.Boolean()
    step_up = fields.Boolean()
    portal = fields.Boolean()
    machine = fields.Boolean()


class Permissions(Schema):
    items = fields.List(fields.Nested(PermissionOut))
