"""What callers send and get of assets, and what is read of shipments."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import validate

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AssetFilters",
    "AssetOut",
    "AssetRow",
    "CoverOut",
    "CoverageFilters",
    "RegisterAsset",
    "ShippedOrder",
]


class _Line(OpenSchema):
    line_id = fields.Id(required=True)
    product_id = fields.Id(required=True)
    sku = fields.String(required=True)
    description = fields.String(required=True)
    kind = fields.String(required=True)
    warranty_months = fields.Integer(required=True)


class _ShipmentLine(OpenSchema):
    line_id = fields.Id(required=True)
    cumulative = fields.Decimal(required=True)
    serials = fields.List(fields.String(), required=True)


class ShippedOrder(OpenSchema):
    order_id = fields.Id(required=True)
    account_id = fields.Id(required=True)
    contact_id = fields.Id(required=True, allow_none=True)
    opportunity_id = fields.Id(required=True, allow_none=True)
    lines = fields.List(fields.Nested(_Line), required=True)
    shipment_lines = fields.List(fields.Nested(_ShipmentLine), required=True)
    shipped_at = fields.Timestamp(required=True)


class RegisterAsset(Schema):
    product_id = fields.Id(required=True)
    sku = fields.Text(80, load_default=None, allow_none=True)
    name = fields.Text(200, required=True)
    serial = fields.Text(120, load_default=None, allow_none=True)
    account_id = fields.Id(required=True)
    contact_id = fields.Id(load_default=None, allow_none=True)
    shipped_on = fields.Date(load_default=None, allow_none=True)
    warranty_months = fields.Integer(min=0, max=1200, load_default=0)


class CoverageFilters(Schema):
    reported_at = fields.Timestamp(metadata={"description": "When the customer reported it; by default now"})

    PORTAL = ("reported_at",)


class CoverOut(Schema):
    basis = fields.Enum("warranty", "contract", "none")
    parts = fields.Boolean()
    labour = fields.Boolean()
    travel = fields.Boolean()
    reason = fields.String()
    contract_id = fields.Id(allow_none=True)

    PORTAL = ("basis", "parts", "labour", "travel", "reason", "contract_id")


class AssetRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    product_id = fields.Id()
    sku = fields.String(allow_none=True)
    name = fields.String()
    serial = fields.String(allow_none=True)
    status = fields.String()
    account_id = fields.Id()
    contact_id = fields.Id(allow_none=True)
    order_id = fields.Id(allow_none=True)
    shipped_on = fields.Date(allow_none=True)
    warranty_starts_on = fields.Date(allow_none=True)
    warranty_ends_on = fields.Date(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "product_id",
        "sku",
        "name",
        "serial",
        "status",
        "account_id",
        "contact_id",
        "order_id",
        "shipped_on",
        "warranty_starts_on",
        "warranty_ends_on",
        "created_at",
        "updated_at",
    )


class AssetOut(AssetRow):
    opportunity_id = fields.Id(allow_none=True)
    order_line_id = fields.Id(allow_none=True)
    contract_id = fields.Id(allow_none=True)
    warranty_months = fields.Integer()
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL = (*AssetRow.PORTAL, "order_line_id", "contract_id", "warranty_months")


class AssetFilters(Schema):
    account_id = fields.Id()
    order_id = fields.Id()
    product_id = fields.Id()
    serial = fields.Text(120)
    status = fields.Enum("in_transit", "active", "retired")
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "name", default="-created_at")

    PORTAL = ("account_id", "order_id", "product_id", "serial", "status", "ids", "sort")
