"""What is read of sales' facts, and what callers send and get of links."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from services.erp.links.model import STATES
from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AnswerTaken",
    "CancelRequested",
    "GiveAnswer",
    "LinkDetail",
    "LinkFilters",
    "LinkRow",
    "OrderSubmitted",
    "RejectOrder",
    "ResendOrder",
]


class Amount(OpenSchema):
    amount = fields.String(required=True)
    currency = fields.String(required=True)


class Customer(OpenSchema):
    id = fields.String(required=True)
    name = fields.String(required=True)
    vat_id = fields.String(required=True, allow_none=True)
    erp_customer_id = fields.String(required=True, allow_none=True)


class OrderLine(OpenSchema):
    line_id = fields.String(required=True)
    sku = fields.String(required=True)
    description = fields.String(required=True)
    kind = fields.String(required=True)
    quantity = fields.String(required=True)
    unit = fields.String(required=True)
    net = fields.Nested(Amount, required=True)
    tax_code = fields.String(required=True)


class Order(OpenSchema):
    """An order in our terms; values stay as the wire has them."""

    order_id = fields.String(required=True)
    number = fields.String(required=True)
    request_no = fields.Integer(required=True)
    account = fields.Nested(Customer, required=True)
    currency = fields.String(required=True)
    lines = fields.List(fields.Nested(OrderLine), required=True)
    net_total = fields.Nested(Amount, required=True)
    tax_total = fields.Nested(Amount, required=True)
    gross_total = fields.Nested(Amount, required=True)
    origin = fields.String(required=True)


class Address(OpenSchema):
    lines = fields.List(fields.String(), required=True)
    locality = fields.String(required=True, allow_none=True)
    region = fields.String(required=True, allow_none=True)
    postal_code = fields.String(required=True, allow_none=True)
    country = fields.String(required=True)


class OrderSubmitted(Order):
    bill_to = fields.Nested(Address, required=True)
    ship_to = fields.Nested(Address, required=True)
    requested_on = fields.String(required=True, allow_none=True)


class CancelRequested(Order):
    reason = fields.String(required=True)


class LinkFilters(Schema):
    q = fields.Text(100, metadata={"description": "Part of the customer's name, or the start of a number"})
    state = fields.Enum(*STATES)
    blocked_reason = fields.Text(60)
    account_id = fields.Id()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "updated_at", default="-created_at")


class LinkState(Schema):
    id = fields.Id(metadata={"description": "The order's id"})
    version = fields.Integer()
    number = fields.String()
    account_id = fields.Id()
    account_name = fields.String()
    state = fields.Enum(*STATES)
    request_no = fields.Integer(metadata={"description": "The last request that was answered"})
    erp_id = fields.String(allow_none=True)
    erp_number = fields.String(allow_none=True)
    erp_sequence = fields.Integer()
    blocked_reason = fields.String(allow_none=True)
    last_error = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class LinkRow(LinkState):
    gross_total = fields.MoneyColumns("gross_total")
    invoiced_total = fields.MoneyColumns("invoiced_total")
    paid_total = fields.MoneyColumns("paid_total")


class LinkLine(Schema):
    line_id = fields.String()
    sku = fields.String()
    ordered = fields.String()
    accepted = fields.String()
    backordered = fields.String()
    backordered_until = fields.String(allow_none=True)
    rejected = fields.String()
    rejected_code = fields.String(allow_none=True)
    shipped = fields.String()
    invoiced = fields.String()


class Attempt(Schema):
    id = fields.Id()
    step = fields.Enum("find", "create", "confirm", "cancel", "resend")
    request = fields.Dict()
    started_at = fields.Timestamp()
    answer = fields.Enum("ok", "refused", "unknown", "not_reached", allow_none=True)
    detail = fields.String(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)


class LinkDetail(LinkState):
    gross_total = fields.MoneyField()
    invoiced_total = fields.MoneyField()
    paid_total = fields.MoneyField()
    net_total = fields.MoneyField()
    tax_total = fields.MoneyField()
    due_total = fields.MoneyField(metadata={"description": "Gross of all that the ERP will deliver"})
    erp_sequence = fields.Integer(attribute="event_no")
    submit_no = fields.Integer()
    cancel_no = fields.Integer(allow_none=True)
    order_hash = fields.String()
    content_hash = fields.String(allow_none=True)
    mapping_version = fields.Integer(allow_none=True)
    lines = fields.List(fields.Nested(LinkLine))
    blocked_detail = fields.Dict(allow_none=True)
    attempts = fields.List(fields.Nested(Attempt))
    allowed = fields.List(fields.String())


class ResendOrder(Schema):
    reason = fields.Text(500, required=True)


class RejectOrder(Schema):
    reason = fields.Text(500, required=True)


class AnswerLine(Schema):
    line_id = fields.Id(required=True)
    accepted = fields.Decimal(places=3, min=0, load_default=Decimal(0))
    backordered = fields.Decimal(places=3, min=0, load_default=Decimal(0))
    backordered_until = fields.Date(load_default=None, allow_none=True)
    rejected = fields.Decimal(places=3, min=0, load_default=Decimal(0))
    rejected_code = fields.Text(80, load_default=None, allow_none=True)


class MovedLine(Schema):
    line_id = fields.Id(required=True)
    quantity = fields.Decimal(places=3, min=0, required=True)
    serials = fields.List(fields.Text(80), load_default=list, validate=validate.Length(max=1_000))


_NEEDS = {
    "order.received": (),
    "order.accepted": ("erp_number", "lines"),
    "order.partially_accepted": ("erp_number", "lines"),
    "order.rejected": ("code", "text"),
    "order.shipped": ("moved",),
    "order.invoiced": ("moved", "invoice_number", "amount"),
    "order.paid": ("amount",),
    "order.cancelled": ("code", "text"),
}


class GiveAnswer(Schema):
    """A canonical answer. Which members are needed depends on `type`."""

    id = fields.Text(
        200, required=True, metadata={"description": "Names the answer: sent again, it has no effect"}
    )
    type = fields.Enum(*_NEEDS, required=True)
    order_id = fields.Id(required=True)
    occurred_at = fields.Timestamp(required=True)
    erp_number = fields.Text(80, load_default=None, allow_none=True)
    code = fields.Text(80, load_default=None, allow_none=True)
    text = fields.Text(500, load_default=None, allow_none=True)
    lines = fields.List(fields.Nested(AnswerLine), load_default=None, validate=validate.Length(1, 2_000))
    moved = fields.List(fields.Nested(MovedLine), load_default=None, validate=validate.Length(1, 2_000))
    carrier = fields.Text(80, load_default=None, allow_none=True)
    tracking = fields.Text(120, load_default=None, allow_none=True)
    invoice_number = fields.Text(80, load_default=None, allow_none=True)
    document_url = fields.Text(500, load_default=None, allow_none=True)
    amount = fields.MoneyField(load_default=None, min=0)

    @validates_schema
    def _complete(self, values: dict[str, Any], **_: Any) -> None:
        missing = {name: ["Needed for this type."] for name in _NEEDS[values["type"]] if values[name] is None}
        if missing:
            raise ValidationError(missing)


class AnswerTaken(Schema):
    id = fields.String()
    order_id = fields.Id()
    state = fields.Enum(*STATES)
    erp_sequence = fields.Integer()
    duplicate = fields.Boolean(metadata={"description": "The answer had been given before"})
