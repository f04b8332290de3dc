"""What callers send and get of technicians, and what is read of users."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from marshmallow import ValidationError, validate, validates

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AddTechnician",
    "EditTechnician",
    "Skill",
    "TechnicianFilters",
    "TechnicianOut",
    "TechnicianRow",
    "User",
]


class User(OpenSchema):
    user_id = fields.Id(required=True)
    display_name = fields.String(required=True)
    role_names = fields.List(fields.String(), required=True)
    active = fields.Boolean(required=True)
    time_zone = fields.String(required=True)


class Skill(Schema):
    skill = fields.Text(80, required=True)
    level = fields.Integer(min=1, max=5, required=True)
    valid_until = fields.String(
        load_default=None,
        allow_none=True,
        validate=lambda value: fields.Date().deserialize(value),
        metadata={"format": "date", "description": "Last day on which it counts"},
    )


class EditTechnician(Schema):
    """The fields to change; those left out stay as they are."""

    time_zone = fields.Text(64, metadata={"description": "IANA name"})
    skills = fields.List(fields.Nested(Skill), validate=validate.Length(max=200))
    active = fields.Boolean(metadata={"description": "May be given visits"})

    @validates("time_zone")
    def _iana_name(self, value: str | None, **_: Any) -> None:
        if value is not None and value not in available_timezones():
            raise ValidationError("Not a name of the IANA time zone database.")

    @validates("skills")
    def _once_each(self, value: list[dict[str, Any]], **_: Any) -> None:
        names = [skill["skill"] for skill in value]
        if len(names) != len(set(names)):
            raise ValidationError("Each skill once.")


class AddTechnician(EditTechnician):
    class Meta(EditTechnician.Meta):
        exclude = ("active",)

    user_id = fields.Id(required=True)
    time_zone = fields.Text(
        64,
        load_default=None,
        allow_none=True,
        metadata={"description": "IANA name; by default the company's"},
    )
    skills = fields.List(fields.Nested(Skill), load_default=list, validate=validate.Length(max=200))


class TechnicianRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    user_id = fields.Id()
    technician_no = fields.Integer()
    display_name = fields.String()
    time_zone = fields.String()
    skills = fields.List(fields.Nested(Skill))
    active = fields.Boolean()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class TechnicianOut(TechnicianRow):
    user_active = fields.Boolean()
    allowed = fields.List(fields.String())


class TechnicianFilters(Schema):
    user_id = fields.Id()
    active = fields.Boolean()
    skill = fields.Text(80)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "display_name", default="display_name")
