"""What callers send and get of forms."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as numbers

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "LEAD_FIELDS",
    "CreateForm",
    "EditForm",
    "FormFilters",
    "FormOut",
    "FormRow",
    "OpenForm",
    "Submitted",
    "Tracking",
]

LEAD_FIELDS = {
    "given_name": 120,
    "family_name": 120,
    "email": 254,
    "phone": 40,
    "title": 120,
    "language": 35,
    "time_zone": 64,
    "company_name": 200,
    "domain": 253,
    "industry": 120,
    "employee_count": 9,
    "country": 2,
    "region": 120,
    "postal_code": 20,
    "product_group": 120,
    "interest": 5000,
}
"""The fields of a lead that a form may fill, and how much of what was typed is kept in them."""

_NAME = validate.Regexp(
    r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}\Z", error="A letter, then up to 63 letters, digits or _.- are expected."
)
_TYPE = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,39}\Z", error="Small letters, digits and underscores are expected."
)
_POLICIES = ("reject", "link", "create_flagged")


class Seconds(numbers.Float):
    """A duration from 0 to 600 seconds, a plain JSON number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 600:
            raise ValidationError("A number from 0 to 600 is expected.")
        return float(value)


def _default_fields() -> dict[str, str]:
    names = ("given_name", "family_name", "email", "phone", "company_name", "interest")
    return {name: name for name in names}


class EditForm(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(120)
    is_active = fields.Boolean()
    fields_ = fields.Dict(
        keys=fields.String(validate=_NAME),
        values=fields.Enum(*LEAD_FIELDS),
        validate=validate.Length(1, 50),
        data_key="fields",
        attribute="fields",
        metadata={"description": "Field name on the page -> field of the lead"},
    )
    campaign_id = fields.Id(allow_none=True)
    owner_team_id = fields.Id(allow_none=True)
    behaviour_type = fields.String(validate=_TYPE)
    honeypot = fields.String(validate=_NAME)
    min_fill_seconds = Seconds()
    duplicate_policy = fields.Enum(*_POLICIES)
    consent_text_version = fields.Text(40, allow_none=True)


class CreateForm(EditForm):
    name = fields.Text(120, required=True)
    is_active = fields.Boolean(load_default=True)
    fields_ = fields.Dict(
        keys=fields.String(validate=_NAME),
        values=fields.Enum(*LEAD_FIELDS),
        validate=validate.Length(1, 50),
        data_key="fields",
        attribute="fields",
        load_default=_default_fields,
    )
    behaviour_type = fields.String(validate=_TYPE, load_default="form")
    honeypot = fields.String(validate=_NAME, load_default="website_url")
    min_fill_seconds = Seconds(load_default=2.0)
    duplicate_policy = fields.Enum(*_POLICIES, load_default="link")


class FormRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    is_active = fields.Boolean()
    campaign_id = fields.Id(allow_none=True)
    duplicate_policy = fields.String()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class FormOut(FormRow):
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(), data_key="fields", attribute="fields")
    owner_team_id = fields.Id(allow_none=True)
    behaviour_type = fields.String()
    honeypot = fields.String()
    min_fill_seconds = numbers.Float()
    consent_text_version = fields.String(allow_none=True)


class FormFilters(Schema):
    is_active = fields.Boolean()
    campaign_id = fields.Id()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "created_at", default="name")


class OpenForm(Schema):
    """What a page needs to show the form."""

    name = fields.String()
    field_names = fields.List(fields.String())
    consent_text_version = fields.String(allow_none=True)
    form_token = fields.String(metadata={"description": "Send it back: it says when the form was shown"})


class Tracking(OpenSchema):
    """Where the visitor came from; whatever else an address carries is ignored."""

    utm_source = fields.String()
    utm_medium = fields.String()
    utm_campaign = fields.String()
    utm_term = fields.String()
    utm_content = fields.String()


class Submitted(Schema):
    lead_id = fields.Id()
    ignored_fields = fields.List(fields.String())
