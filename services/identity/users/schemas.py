"""What callers send and get of users."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from marshmallow import ValidationError, validate

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AcceptInvitation",
    "AcceptedInvitation",
    "DeactivateUser",
    "EditUser",
    "InvitationOut",
    "InviteUser",
    "Me",
    "OrgChart",
    "Rights",
    "UserFilters",
    "UserOut",
    "UserRow",
]

_LOCALE = validate.Regexp(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z", error="Not a BCP 47 tag such as en-GB.")
_EXTENSION = validate.Regexp(r"^[0-9]{1,10}\Z", error="One to ten digits are expected.")
_ROLE = validate.Regexp(r"^[a-z][a-z0-9_]{1,63}\Z", error="Not the name of a role.")
_STATES = ("invited", "active", "suspended", "deactivated")


@cache
def _zones() -> set[str]:
    return available_timezones()


def _zone(value: str) -> None:
    if value not in _zones():
        raise ValidationError("Not an IANA time zone such as Europe/Berlin.")


class EditUser(Schema):
    """The fields to change; those left out stay as they are."""

    email = fields.Email()
    display_name = fields.Text(120)
    locale = fields.String(validate=_LOCALE)
    time_zone = fields.String(validate=_zone)
    phone_extension = fields.String(validate=_EXTENSION, allow_none=True)
    manager_id = fields.Id(allow_none=True)
    team_ids = fields.List(fields.Id(), validate=validate.Length(max=50))
    role_names = fields.List(fields.String(validate=_ROLE), validate=validate.Length(max=20))


class InviteUser(EditUser):
    email = fields.Email(required=True)
    display_name = fields.Text(120, required=True)
    locale = fields.String(validate=_LOCALE, load_default="en-GB")
    time_zone = fields.String(
        validate=_zone, load_default=None, metadata={"description": "By default the company's"}
    )
    phone_extension = fields.String(validate=_EXTENSION, load_default=None, allow_none=True)
    manager_id = fields.Id(load_default=None, allow_none=True)
    team_ids = fields.List(fields.Id(), load_default=list, validate=validate.Length(max=50))
    role_names = fields.List(
        fields.String(validate=_ROLE), load_default=list, validate=validate.Length(max=20)
    )


class DeactivateUser(Schema):
    successor_id = fields.Id(load_default=None, allow_none=True)


class UserRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    email = fields.String()
    display_name = fields.String()
    state = fields.Enum(*_STATES)
    manager_id = fields.Id(allow_none=True)
    team_ids = fields.List(fields.Id())
    role_names = fields.List(fields.String())
    locale = fields.String()
    time_zone = fields.String()
    phone_extension = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class UserOut(UserRow):
    allowed = fields.List(fields.String())


class InvitationOut(UserOut):
    """The user, and what lets them in; it is shown this once."""

    invitation_token = fields.String()
    invitation_expires_at = fields.Timestamp()


class UserFilters(Schema):
    q = fields.Text(100, metadata={"description": "Part of the name or of the e-mail address"})
    email = fields.Text(254)
    state = fields.Enum(*_STATES)
    manager_id = fields.Id()
    team_id = fields.Id()
    role = fields.String(validate=_ROLE)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("display_name", "email", "created_at", default="display_name")


class AcceptInvitation(OpenSchema):
    token = fields.Text(200, required=True)


class AcceptedInvitation(Schema):
    email = fields.String()
    display_name = fields.String()
    state = fields.Enum(*_STATES)


class Right(Schema):
    permission = fields.String()
    reach = fields.String()
    says = fields.String()
    roles = fields.List(fields.String(), metadata={"description": "The roles that give this reach"})


class Rights(Schema):
    items = fields.List(fields.Nested(Right))


class Me(Schema):
    """Who is asking. `user` is null for a machine."""

    subject = fields.String()
    kind = fields.Enum("staff", "portal", "machine")
    client_id = fields.String()
    permissions = fields.Dict(keys=fields.String(), values=fields.String())
    user = fields.Nested(UserRow, allow_none=True)

    PORTAL = ("subject", "kind", "client_id", "permissions")


class OrgChartNode(Schema):
    id = fields.Id()
    display_name = fields.String()
    manager_id = fields.Id(allow_none=True)
    team_ids = fields.List(fields.Id())
    state = fields.Enum(*_STATES)
    level = fields.Integer(metadata={"description": "1 at the top"})


class OrgChart(Schema):
    items = fields.List(fields.Nested(OrgChartNode))
