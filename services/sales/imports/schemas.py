"""What a row of each import may hold, and the verdicts. Rows are mapped already: ids, keys and SKUs are ours."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from shared.kernel.money import MINOR_UNITS
from shared.web import Schema, fields

__all__ = ["ImportOptions", "ImportedAccount", "ImportedOpportunity", "ImportedProduct", "Verdict"]

_CURRENCY = validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
_COUNTRY = validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected.")
_UNIT = validate.Regexp(r"^[A-Z0-9]{2,3}\Z", error="A UN/ECE Recommendation 20 code such as C62 is expected.")


class ImportOptions(Schema):
    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Tell the verdicts, but keep nothing."}
    )


class _Row(Schema):
    external_id = fields.Text(
        200, required=True, metadata={"description": "The row's name where it comes from"}
    )


class ImportedAccount(_Row):
    name = fields.Text(200, required=True)
    kind = fields.Enum("prospect", "customer", "partner", "former")
    owner_id = fields.Id(allow_none=True)
    parent_external_id = fields.Text(200, allow_none=True)
    industry = fields.Text(120, allow_none=True)
    employee_count = fields.Integer(min=0, max=100_000_000, allow_none=True)
    annual_revenue = fields.MoneyField(min=0, allow_none=True)
    website = fields.Text(300, allow_none=True)
    phone = fields.Phone(allow_none=True)
    currency = fields.String(validate=_CURRENCY)
    country = fields.String(validate=_COUNTRY, allow_none=True)
    region = fields.Text(120, allow_none=True)
    created_on = fields.Date(allow_none=True)


class ImportedProduct(_Row):
    sku = fields.Text(80, required=True)
    name = fields.Text(200, required=True)
    description = fields.Text(4000, allow_none=True)
    family = fields.Text(120, allow_none=True)
    kind = fields.Enum("good", "service", "subscription", "bundle")
    unit = fields.String(validate=_UNIT)
    standard_cost = fields.MoneyField(min=0, allow_none=True)
    needs_installation = fields.Boolean()
    warranty_months = fields.Integer(min=0, max=1200)
    prices = fields.Dict(keys=fields.String(validate=_CURRENCY), values=fields.PriceText())
    created_on = fields.Date(allow_none=True)


class ImportedOpportunity(_Row):
    name = fields.Text(200, required=True)
    owner_id = fields.Id(required=True)
    account_external_id = fields.Text(200, load_default=None, allow_none=True)
    product_sku = fields.Text(80, load_default=None, allow_none=True)
    status = fields.Enum("open", "won", "lost", load_default="open")
    pipeline = fields.Text(
        80,
        load_default=None,
        allow_none=True,
        metadata={"description": "Name of an active pipeline; without one the default pipeline"},
    )
    stage = fields.Text(
        40,
        load_default=None,
        allow_none=True,
        metadata={"description": "Of open deals; by default the first"},
    )
    lost_reason = fields.Text(40, load_default="other")
    created_on = fields.Date(load_default=None, allow_none=True)
    close_date = fields.Date(
        load_default=None, allow_none=True, metadata={"description": "Of open deals: expected"}
    )
    amount = fields.MoneyField(min=0, load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _holds_together(self, row: dict[str, Any], **_: Any) -> None:
        if row["status"] != "open" and row["close_date"] is None:
            raise ValidationError("A closed deal has a close date.", "close_date")
        if row["created_on"] and row["close_date"] and row["close_date"] < row["created_on"]:
            raise ValidationError("It closes before it was created.", "close_date")


class Verdict(Schema):
    row = fields.Integer(metadata={"description": "Line of the request, counted from 1"})
    external_id = fields.String(allow_none=True)
    verdict = fields.Enum("created", "updated", "unchanged", "warned", "refused")
    id = fields.Id(allow_none=True)
    reason = fields.String(allow_none=True)
