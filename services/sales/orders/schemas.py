"""What callers send and get of orders, and what is read of the ERP's answers."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import validate

from shared.kernel.money import Money
from shared.web import OpenSchema, Schema, fields

__all__ = [
    "CancelOrder",
    "ErpAccepted",
    "ErpCancelled",
    "ErpInvoiced",
    "ErpOrder",
    "ErpPaid",
    "ErpRejected",
    "ErpShipped",
    "Handoff",
    "OrderFilters",
    "OrderOut",
    "OrderRow",
    "ResubmitOrder",
]


class ErpOrder(OpenSchema):
    order_id = fields.Id(required=True)
    request_no = fields.Integer(required=True)


class _AnsweredLine(OpenSchema):
    line_id = fields.String(required=True)
    accepted = fields.String(required=True)


class ErpAccepted(ErpOrder):
    erp_number = fields.String(required=True)
    lines = fields.List(fields.Nested(_AnsweredLine), required=True)


class ErpRejected(ErpOrder):
    code = fields.String(required=True)
    text = fields.String(required=True)


class ErpCancelled(ErpRejected):
    pass


class _ShippedLine(OpenSchema):
    line_id = fields.String(required=True)
    quantity = fields.String(required=True)
    cumulative = fields.String(required=True)
    serials = fields.List(fields.String(), required=True)


class ErpShipped(ErpOrder):
    shipment_lines = fields.List(fields.Nested(_ShippedLine), required=True)
    shipped_at = fields.Timestamp(required=True)
    carrier = fields.String(required=True, allow_none=True)
    tracking = fields.String(required=True, allow_none=True)


class _InvoicedLine(OpenSchema):
    line_id = fields.String(required=True)
    invoiced = fields.String(required=True)


class ErpInvoiced(ErpOrder):
    lines = fields.List(fields.Nested(_InvoicedLine), required=True)
    cumulative = fields.MoneyField(required=True)
    invoice_number = fields.String(required=True)
    invoiced_at = fields.Timestamp(required=True)
    document_url = fields.String(required=True, allow_none=True)


class ErpPaid(ErpOrder):
    cumulative = fields.MoneyField(required=True)
    paid_at = fields.Timestamp(required=True)


class _Address(Schema):
    lines = fields.List(fields.Text(200), required=True, validate=validate.Length(1, 6))
    locality = fields.Text(120, load_default=None, allow_none=True)
    region = fields.Text(120, load_default=None, allow_none=True)
    postal_code = fields.Text(20, load_default=None, allow_none=True)
    country = fields.String(
        required=True,
        validate=validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected."),
    )


class ResubmitOrder(Schema):
    """What to correct before the order is handed off again."""

    bill_to = fields.Nested(_Address)
    ship_to = fields.Nested(_Address)


class CancelOrder(Schema):
    reason = fields.Text(500, required=True)


class _Line(Schema):
    line_id = fields.String()
    product_id = fields.String()
    sku = fields.String()
    description = fields.String()
    quantity = fields.String()
    confirmed = fields.String()
    shipped = fields.String()
    invoiced = fields.String()
    unit = fields.String()
    unit_net = fields.Raw()
    net = fields.Raw()
    needs_installation = fields.Boolean()
    warranty_months = fields.Integer()


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class _Request(Schema):
    request_no = fields.Integer()
    kind = fields.String()
    payload_sha256 = fields.String(allow_none=True)
    sent_at = fields.String()
    received_at = fields.String(allow_none=True)
    answered_at = fields.String(allow_none=True)
    answer = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


class OrderRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    number = fields.String()
    state = fields.String()
    technical = fields.String()
    account_id = fields.Id()
    opportunity_id = fields.Id(allow_none=True)
    owner_id = fields.Id()
    erp_number = fields.String(allow_none=True)
    net_total: fields.Field[Money] = fields.MoneyColumns("net_total")
    attention = fields.List(fields.Nested(_Attention))
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "number",
        "state",
        "account_id",
        "erp_number",
        "net_total",
        "created_at",
        "updated_at",
    )


class OrderOut(OrderRow):
    net_total = fields.MoneyField()
    tax_total = fields.MoneyField()
    gross_total = fields.MoneyField()
    invoiced_total = fields.MoneyField()
    paid_total = fields.MoneyField()
    fulfilment = fields.String()
    billing = fields.String()
    request_no = fields.Integer()
    quote_id = fields.Id(allow_none=True)
    quote_revision = fields.Integer(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    bill_to = fields.Nested(_Address)
    ship_to = fields.Nested(_Address)
    lines = fields.List(fields.Nested(_Line))
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL = (
        *OrderRow.PORTAL,
        "tax_total",
        "gross_total",
        "invoiced_total",
        "paid_total",
        "fulfilment",
        "billing",
        "quote_id",
        "quote_revision",
        "contact_id",
        "bill_to",
        "ship_to",
        "lines",
    )


class _Fact(Schema):
    event_id = fields.String()
    type = fields.String()
    direction = fields.Enum("told", "heard")
    occurred_at = fields.Timestamp()
    published_at = fields.Timestamp(allow_none=True)
    received_at = fields.Timestamp(allow_none=True)
    done_at = fields.Timestamp(allow_none=True)
    state = fields.String()


class Handoff(Schema):
    """What became of a win: every request to the ERP and every fact of its chain, with times and states."""

    order_id = fields.Id()
    number = fields.String()
    state = fields.String()
    technical = fields.String()
    fulfilment = fields.String()
    billing = fields.String()
    erp_number = fields.String(allow_none=True)
    correlation_id = fields.Id()
    requests = fields.List(fields.Nested(_Request))
    attention = fields.List(fields.Nested(_Attention))
    facts = fields.List(fields.Nested(_Fact))

    PORTAL = ("order_id", "number", "state", "fulfilment", "billing", "erp_number")


class OrderFilters(Schema):
    state = fields.Enum("submitted", "acknowledged", "rejected", "cancelling", "cancelled")
    account_id = fields.Id()
    opportunity_id = fields.Id()
    owner_id = fields.Id()
    erp_number = fields.Text(80)
    number = fields.Text(40)
    needs_attention = fields.Boolean()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "number", default="-created_at")

    PORTAL = ("state", "account_id", "erp_number", "number", "ids", "sort")
