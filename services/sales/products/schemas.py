"""What callers send and get of products."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import validate

from services.sales.products.model import PRODUCT_KINDS
from shared.kernel.money import MINOR_UNITS
from shared.web import Schema, fields

__all__ = [
    "CreateProduct",
    "EditProduct",
    "ProductFilters",
    "ProductOut",
    "ProductRow",
    "SetTaxRate",
    "TaxRateOut",
]

_PRICES: dict[str, Any] = {
    "keys": fields.String(
        validate=validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
    ),
    "values": fields.PriceText(),
    "metadata": {"description": "List price per unit by currency, at most 6 decimals."},
}
_UNIT = validate.Regexp(r"^[A-Z0-9]{2,3}\Z", error="A UN/ECE Recommendation 20 code such as C62 is expected.")
_CODE = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,39}\Z", error="Lower case letters, digits and underscores are expected."
)


class EditProduct(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(200)
    description = fields.Text(4000, allow_none=True)
    family = fields.Text(120, allow_none=True)
    unit = fields.String(validate=_UNIT)
    tax_code = fields.String(validate=_CODE)
    standard_cost = fields.MoneyField(min=0, allow_none=True)
    needs_installation = fields.Boolean()
    warranty_months = fields.Integer(min=0, max=1200)
    serialised = fields.Boolean()
    prices = fields.Dict(**_PRICES)


class CreateProduct(EditProduct):
    sku = fields.Text(80, required=True)
    name = fields.Text(200, required=True)
    kind = fields.Enum(*PRODUCT_KINDS, load_default="good")
    state = fields.Enum("draft", "active", load_default="active")
    unit = fields.String(validate=_UNIT, load_default="C62")
    quantity_decimals = fields.Integer(min=0, max=3, load_default=0)
    tax_code = fields.String(validate=_CODE, load_default="standard")
    needs_installation = fields.Boolean(load_default=False)
    warranty_months = fields.Integer(min=0, max=1200, load_default=0)
    prices = fields.Dict(**_PRICES, load_default=dict)
    external_id = fields.Text(200, allow_none=True)


class ProductRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    sku = fields.String()
    name = fields.String()
    family = fields.String(allow_none=True)
    kind = fields.String()
    state = fields.String()
    unit = fields.String()
    tax_code = fields.String()
    needs_installation = fields.Boolean()
    warranty_months = fields.Integer()
    prices = fields.Dict(keys=fields.String(), values=fields.String())
    external_id = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "sku",
        "name",
        "family",
        "kind",
        "state",
        "unit",
        "tax_code",
        "needs_installation",
        "warranty_months",
        "prices",
        "created_at",
        "updated_at",
    )


class ProductOut(ProductRow):
    description = fields.String(allow_none=True)
    quantity_decimals = fields.Integer()
    standard_cost = fields.MoneyField(allow_none=True)
    serialised = fields.Boolean()
    allowed = fields.List(fields.String())

    PORTAL = (*ProductRow.PORTAL, "description", "quantity_decimals", "serialised")


class ProductFilters(Schema):
    q = fields.Text(100)
    sku = fields.Text(80)
    family = fields.Text(120)
    kind = fields.Enum(*PRODUCT_KINDS)
    state = fields.Enum("draft", "active", "retired")
    external_id = fields.Text(200)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("name", "sku", "created_at", default="name")

    PORTAL = ("q", "sku", "family", "kind", "state", "ids", "sort")


class SetTaxRate(Schema):
    rate_bp = fields.Integer(
        required=True, min=0, max=10_000, metadata={"description": "Basis points: 1900 is 19 %."}
    )


class TaxRateOut(Schema):
    code = fields.String()
    rate_bp = fields.Integer()
    version = fields.Integer()

    PORTAL = ("code", "rate_bp", "version")
