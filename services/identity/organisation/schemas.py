"""What callers send and get of the company."""

from __future__ import annotations

from zoneinfo import available_timezones

from marshmallow import ValidationError, validate

from shared.kernel.money import MINOR_UNITS
from shared.web import Schema, fields

__all__ = ["EditOrganisation", "OrganisationOut"]

_CURRENCY = validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")


def _zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError("Not an IANA time zone such as Europe/Berlin.")


class EditOrganisation(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(200)
    base_currency = fields.String(validate=_CURRENCY)
    company_zone = fields.String(validate=_zone)
    fiscal_year_start_month = fields.Integer(min=1, max=12)


class OrganisationOut(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    base_currency = fields.String()
    company_zone = fields.String()
    fiscal_year_start_month = fields.Integer()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()
