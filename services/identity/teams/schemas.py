"""What callers send and get of teams."""

from __future__ import annotations

from marshmallow import validate

from shared.web import Schema, fields

__all__ = ["CreateTeam", "EditTeam", "TeamFilters", "TeamOut", "TeamRow"]

_KINDS = ("sales", "support", "field", "marketing", "other")
_STATES = ("active", "dissolved")
_MEMBERS = validate.Length(max=1000)


class EditTeam(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(120)
    kind = fields.Enum(*_KINDS)
    parent_id = fields.Id(allow_none=True)
    lead_id = fields.Id(allow_none=True)
    member_ids = fields.List(fields.Id(), validate=_MEMBERS)


class CreateTeam(EditTeam):
    name = fields.Text(120, required=True)
    kind = fields.Enum(*_KINDS, load_default="other")
    parent_id = fields.Id(load_default=None, allow_none=True)
    lead_id = fields.Id(load_default=None, allow_none=True)
    member_ids = fields.List(fields.Id(), load_default=list, validate=_MEMBERS)


class TeamRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    kind = fields.Enum(*_KINDS)
    state = fields.Enum(*_STATES)
    parent_id = fields.Id(allow_none=True)
    lead_id = fields.Id(allow_none=True)
    member_ids = fields.List(fields.Id())
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class TeamOut(TeamRow):
    allowed = fields.List(fields.String())


class TeamFilters(Schema):
    name = fields.Text(120)
    kind = fields.Enum(*_KINDS)
    state = fields.Enum(*_STATES)
    parent_id = fields.Id()
    lead_id = fields.Id()
    member_id = fields.Id()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "created_at", default="name")
