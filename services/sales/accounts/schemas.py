"""What callers send and get of accounts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validate, validates

from shared.kernel.money import MINOR_UNITS
from shared.web import OpenSchema, Schema, fields

__all__ = ["AccountFilters", "AccountOut", "AccountRow", "CreateAccount", "EditAccount", "LinkedCustomer"]

KINDS = ("prospect", "customer", "partner", "former")
_CURRENCY = validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
_COUNTRY = validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected.")


class Address(Schema):
    type = fields.Enum("billing", "shipping", "site", "other", required=True)
    lines = fields.List(fields.Text(200), required=True, validate=validate.Length(1, 6))
    locality = fields.Text(120, load_default=None, allow_none=True)
    region = fields.Text(120, load_default=None, allow_none=True)
    postal_code = fields.Text(20, load_default=None, allow_none=True)
    country = fields.String(required=True, validate=_COUNTRY)
    is_primary = fields.Boolean(load_default=False)
    verified = fields.Boolean(dump_only=True)


class EditAccount(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(200)
    kind = fields.Enum(*KINDS)
    parent_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    industry = fields.Text(120, allow_none=True)
    employee_count = fields.Integer(min=0, max=100_000_000, allow_none=True)
    annual_revenue = fields.MoneyField(min=0, allow_none=True)
    website = fields.Text(300, allow_none=True)
    tax_id = fields.Text(40, allow_none=True)
    tax_country = fields.String(validate=_COUNTRY, allow_none=True)
    phone = fields.Phone(allow_none=True)
    currency = fields.String(validate=_CURRENCY)
    addresses = fields.List(fields.Nested(Address), validate=validate.Length(max=50))

    @validates("addresses")
    def _one_primary_a_type(self, value: list[dict[str, Any]], **_: Any) -> None:
        primary = [address["type"] for address in value if address["is_primary"]]
        if len(primary) != len(set(primary)):
            raise ValidationError("At most one primary address of each type.")
        for address in value:
            address.setdefault("verified", False)


class CreateAccount(EditAccount):
    name = fields.Text(200, required=True)
    currency = fields.String(validate=_CURRENCY, load_default=None, allow_none=True)
    external_id = fields.Text(200, allow_none=True)


class AccountRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    kind = fields.String()
    status = fields.String()
    parent_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    industry = fields.String(allow_none=True)
    employee_count = fields.Integer(allow_none=True)
    website = fields.String(allow_none=True)
    domain = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    currency = fields.String()
    erp_number = fields.String(allow_none=True)
    external_id = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class AccountOut(AccountRow):
    annual_revenue = fields.MoneyField(allow_none=True)
    tax_id = fields.String(allow_none=True)
    tax_country = fields.String(allow_none=True)
    merged_into_id = fields.Id(allow_none=True)
    addresses = fields.List(fields.Nested(Address))


class AccountFilters(Schema):
    q = fields.Text(
        100, metadata={"description": "Part of the name, or the start of domain, phone, tax id, ERP number"}
    )
    name = fields.Text(200)
    kind = fields.Enum(*KINDS)
    status = fields.Enum("live", "merged", "erased")
    owner_id = fields.Id()
    parent_id = fields.Id()
    external_id = fields.Text(200)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "created_at", default="name")


class LinkedCustomer(OpenSchema):
    account_id = fields.Id(required=True)
    erp_customer_id = fields.String(required=True)
    erp_number = fields.String(required=True, allow_none=True)
