"""What callers send and get of contacts."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from marshmallow import ValidationError, validate, validates

from shared.web import Schema, fields

__all__ = ["ContactFilters", "ContactOut", "ContactRow", "CreateContact", "EditContact", "ErasureOut"]

_LANGUAGE = validate.Regexp(
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", error="A BCP 47 tag such as de or pt-BR is expected."
)
_COUNTRY = validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected.")


def _known_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("Not an IANA time zone such as Europe/Berlin.")


class EmailAddress(Schema):
    address = fields.Email(required=True)
    is_primary = fields.Boolean(load_default=False)


class PhoneNumber(Schema):
    number = fields.Phone(required=True)
    is_primary = fields.Boolean(load_default=False)


class _Address(Schema):
    lines = fields.List(fields.Text(200), required=True, validate=validate.Length(1, 6))
    locality = fields.Text(120, load_default=None, allow_none=True)
    region = fields.Text(120, load_default=None, allow_none=True)
    postal_code = fields.Text(20, load_default=None, allow_none=True)
    country = fields.String(required=True, validate=_COUNTRY)


class EditContact(Schema):
    """The fields to change; those left out stay as they are."""

    given_name = fields.Text(100, allow_none=True)
    family_name = fields.Text(100, allow_none=True)
    account_id = fields.Id(allow_none=True)
    title = fields.Text(200, allow_none=True)
    owner_id = fields.Id(allow_none=True)
    emails = fields.List(fields.Nested(EmailAddress), validate=validate.Length(max=20))
    phones = fields.List(fields.Nested(PhoneNumber), validate=validate.Length(max=20))
    address = fields.Nested(_Address, allow_none=True)
    language = fields.String(validate=_LANGUAGE, allow_none=True)
    time_zone = fields.String(validate=_known_zone, allow_none=True)
    preferred_channel = fields.Enum("email", "phone", "sms", "post", allow_none=True)
    do_not_call = fields.Boolean()

    @validates("emails", "phones")
    def _one_primary(self, value: list[dict[str, Any]], **_: Any) -> None:
        if sum(item["is_primary"] for item in value) > 1:
            raise ValidationError("At most one is primary.")


class CreateContact(EditContact):
    external_id = fields.Text(200, allow_none=True)


class ContactRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    given_name = fields.String(allow_none=True)
    family_name = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    account_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    status = fields.String()
    emails = fields.List(fields.Nested(EmailAddress))
    phones = fields.List(fields.Nested(PhoneNumber))
    language = fields.String(allow_none=True)
    do_not_call = fields.Boolean()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class ContactOut(ContactRow):
    merged_into_id = fields.Id(allow_none=True)
    address = fields.Nested(_Address, allow_none=True)
    time_zone = fields.String(allow_none=True)
    preferred_channel = fields.String(allow_none=True)
    external_id = fields.String(allow_none=True)


class ErasureOut(Schema):
    contact = fields.Nested(ContactOut)
    erased_activities = fields.Integer(
        metadata={"description": "Whose subject, outcome and next step were blanked."}
    )
    kept_quotes = fields.List(
        fields.String(),
        metadata={
            "description": "Numbers of quotes sent to the person or signed by it: business letters, kept."
        },
    )
    account_bears_name = fields.Boolean(
        metadata={
            "description": "Whether the account is called like the person. It is not renamed by itself."
        }
    )


class ContactFilters(Schema):
    q = fields.Text(100, metadata={"description": "Part of the name"})
    account_id = fields.Id()
    owner_id = fields.Id()
    status = fields.Enum("live", "merged", "erased")
    external_id = fields.Text(200)
    email = fields.Email()
    phone = fields.Phone()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "created_at", default="name")
