"""What callers send and get of exchange rates."""

from __future__ import annotations

from decimal import Decimal

from marshmallow import validate

from shared.kernel.money import MINOR_UNITS
from shared.web import Schema, fields

__all__ = ["PublishRate", "RateFilters", "RateOut"]

_CURRENCY = validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
_SMALLEST, _LARGEST = Decimal("0.0000000001"), Decimal(999_999_999)


class PublishRate(Schema):
    currency = fields.String(required=True, validate=_CURRENCY)
    rate = fields.Decimal(
        places=10,
        min=_SMALLEST,
        max=_LARGEST,
        required=True,
        metadata={"description": "One unit of the currency in the base currency"},
    )
    valid_from = fields.Date(required=True)


class RateOut(Schema):
    id = fields.Id()
    currency = fields.String()
    base_currency = fields.String()
    rate = fields.Decimal()
    valid_from = fields.Date()
    published_at = fields.Timestamp()


class RateFilters(Schema):
    currency = fields.String(validate=_CURRENCY)
    base_currency = fields.String(validate=_CURRENCY)
    valid_from_gte = fields.Date()
    valid_from_lte = fields.Date()
    sort = fields.Sort("valid_from", "published_at", default="-valid_from")
