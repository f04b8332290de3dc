"""What callers send and get of contracts, and what is read of the facts about deals and orders."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import validate

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AcknowledgedOrder",
    "ActivateContract",
    "CancelContract",
    "ContractFilters",
    "ContractOut",
    "ContractRow",
    "DraftContract",
    "EditContract",
    "EndedOrder",
    "EntitlementOut",
    "ReopenedDeal",
    "TopUp",
    "WonDeal",
]


class _SoldLine(OpenSchema):
    line_id = fields.Id(required=True)
    product_id = fields.Id(required=True)
    kind = fields.String(required=True)
    quantity = fields.String(required=True)
    net = fields.Raw(required=True)
    warranty_months = fields.Integer(required=True)


class WonDeal(OpenSchema):
    opportunity_id = fields.Id(required=True)
    account_id = fields.Id(required=True)
    primary_contact_id = fields.Id(required=True, allow_none=True)
    owner_id = fields.Id(required=True)
    order_id = fields.Id(required=True, allow_none=True)
    term_months = fields.Integer(required=True, allow_none=True)
    lines = fields.List(fields.Nested(_SoldLine), required=True)
    origin = fields.String(required=True)


class ReopenedDeal(OpenSchema):
    opportunity_id = fields.Id(required=True)
    previous_status = fields.String(required=True)
    reason = fields.String(required=True)


class _ConfirmedLine(OpenSchema):
    line_id = fields.String(required=True)
    confirmed = fields.Decimal(required=True)


class AcknowledgedOrder(OpenSchema):
    order_id = fields.Id(required=True)
    lines = fields.List(fields.Nested(_ConfirmedLine), required=True)


class EndedOrder(OpenSchema):
    order_id = fields.Id(required=True)
    code = fields.String(required=True)
    text = fields.String(required=True)


class _Line(Schema):
    contract_line_id = fields.String()
    product_id = fields.String()
    order_line_id = fields.String(allow_none=True)
    covered_asset_id = fields.String(allow_none=True)
    covered_product_id = fields.String(allow_none=True)
    quantity = fields.String()
    period_price = fields.Raw(allow_none=True)
    struck = fields.Boolean()


class _LineIn(Schema):
    product_id = fields.Id(required=True)
    covered_asset_id = fields.Id(load_default=None, allow_none=True)
    covered_product_id = fields.Id(load_default=None, allow_none=True)
    quantity = fields.Decimal(places=3, min=0, required=True)
    period_price = fields.MoneyField(min=0, load_default=None, allow_none=True)


class EditContract(Schema):
    """The fields to change; those left out stay as they are."""

    contact_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    term_months = fields.Integer(min=1, max=240)
    auto_renew = fields.Boolean()
    notice_days = fields.Integer(min=0, max=730)


class DraftContract(Schema):
    account_id = fields.Id(required=True)
    contact_id = fields.Id(load_default=None, allow_none=True)
    term_months = fields.Integer(min=1, max=240, load_default=12)
    lines = fields.List(fields.Nested(_LineIn), required=True, validate=validate.Length(1, 200))


class ActivateContract(Schema):
    starts_on = fields.Date(load_default=None, allow_none=True, metadata={"description": "By default today"})


class CancelContract(Schema):
    reason = fields.Text(500, required=True)


class TopUp(Schema):
    kind = fields.Enum("incidents", "hours", required=True)
    quantity = fields.Decimal(
        places=3, min=0, load_default=None, allow_none=True, metadata={"description": "None is unlimited"}
    )
    source_id = fields.Text(120, required=True, metadata={"description": "The same one grants once"})


class EntitlementOut(Schema):
    id = fields.Id()
    kind = fields.String()
    balance = fields.Decimal(allow_none=True)

    PORTAL = ("id", "kind", "balance")


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class ContractRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    number = fields.String()
    state = fields.String()
    account_id = fields.Id()
    contact_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    order_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    starts_on = fields.Date(allow_none=True)
    ends_on = fields.Date(allow_none=True)
    term_months = fields.Integer()
    attention = fields.List(fields.Nested(_Attention))
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "number",
        "state",
        "account_id",
        "contact_id",
        "order_id",
        "starts_on",
        "ends_on",
        "term_months",
        "created_at",
        "updated_at",
    )


class ContractOut(ContractRow):
    time_zone = fields.String()
    auto_renew = fields.Boolean()
    notice_days = fields.Integer()
    lines = fields.List(fields.Nested(_Line))
    cancel_reason = fields.String(allow_none=True)
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL = (*ContractRow.PORTAL, "time_zone", "auto_renew", "notice_days", "lines")


class ContractFilters(Schema):
    state = fields.Enum("draft", "active", "suspended", "cancelled", "expired")
    account_id = fields.Id()
    opportunity_id = fields.Id()
    order_id = fields.Id()
    number = fields.Text(40)
    expiring_within_days = fields.Integer(min=0, max=3650)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "number", default="-created_at")

    PORTAL = ("state", "account_id", "order_id", "number", "expiring_within_days", "ids", "sort")
