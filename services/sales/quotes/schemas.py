"""What callers send and get of quotes."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import validate

from shared.kernel.money import MINOR_UNITS, Money
from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AcceptByLink",
    "Decision",
    "DeclineByLink",
    "DraftQuote",
    "EditQuote",
    "LinkedQuote",
    "QuoteFilters",
    "QuoteOut",
    "QuoteRow",
    "ReviseQuote",
    "SendQuote",
]


class LineIn(Schema):
    product_id = fields.Id(required=True)
    quantity = fields.Decimal(places=3, required=True, min=0, max=1_000_000)
    discount_bp = fields.Integer(
        min=0, max=10_000, load_default=0, metadata={"description": "Off the list price"}
    )


class EditQuote(Schema):
    """The fields to change; `lines` replaces all lines, and everything is priced again."""

    valid_until = fields.Date()
    payment_days = fields.Integer(min=0, max=365)
    term_months = fields.Integer(min=1, max=240, allow_none=True)
    header_discount_bp = fields.Integer(min=0, max=10_000)
    lines = fields.List(fields.Nested(LineIn), validate=validate.Length(max=500))


class DraftQuote(Schema):
    opportunity_id = fields.Id(required=True)
    currency = fields.String(
        validate=validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
    )
    valid_until = fields.Date(required=True)
    payment_days = fields.Integer(min=0, max=365, load_default=30)
    term_months = fields.Integer(min=1, max=240, allow_none=True, load_default=None)
    header_discount_bp = fields.Integer(min=0, max=10_000, load_default=0)
    lines = fields.List(fields.Nested(LineIn), load_default=list, validate=validate.Length(max=500))


class ReviseQuote(Schema):
    valid_until = fields.Date(load_default=None, allow_none=True)


class Decision(Schema):
    note = fields.Text(2000, load_default=None, allow_none=True)


class _Recipient(Schema):
    contact_id = fields.Id(load_default=None, allow_none=True)
    email = fields.Email(required=True)


class SendQuote(Schema):
    recipients = fields.List(fields.Nested(_Recipient), required=True, validate=validate.Length(1, 20))


class _Line(Schema):
    line_id = fields.String()
    product_id = fields.String()
    sku = fields.String()
    name = fields.String()
    kind = fields.String()
    quantity = fields.String()
    unit = fields.String()
    list_unit = fields.String()
    discount_bp = fields.Integer()
    unit_net = fields.Raw()
    net = fields.Raw()
    tax = fields.Raw()
    tax_code = fields.String()
    needs_installation = fields.Boolean()
    warranty_months = fields.Integer()


class _Approval(Schema):
    level = fields.Integer()
    state = fields.String()
    by = fields.String(allow_none=True)
    at = fields.String(allow_none=True)
    note = fields.String(allow_none=True)


class _RecipientOut(Schema):
    contact_id = fields.String(allow_none=True)
    email = fields.String()
    viewed_at = fields.String(allow_none=True)
    link = fields.String(
        metadata={"description": "Where this recipient reads, accepts or declines; only once sent."}
    )


class _Signer(Schema):
    name = fields.String()
    email = fields.String()
    title = fields.String(allow_none=True)


class QuoteRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    number = fields.String()
    revision = fields.Integer()
    state = fields.String()
    is_primary = fields.Boolean()
    opportunity_id = fields.Id(allow_none=True)
    account_id = fields.Id()
    owner_id = fields.Id()
    currency = fields.String()
    valid_until = fields.Date()
    net_total: fields.Field[Money] = fields.MoneyColumns("net_total")
    discount_bp = fields.Integer()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "number",
        "revision",
        "state",
        "account_id",
        "currency",
        "valid_until",
        "net_total",
        "created_at",
        "updated_at",
    )


class QuoteOut(QuoteRow):
    net_total = fields.MoneyField()
    tax_total = fields.MoneyField()
    gross_total = fields.MoneyField()
    margin_bp = fields.Integer(allow_none=True)
    payment_days = fields.Integer()
    term_months = fields.Integer(allow_none=True)
    header_discount_bp = fields.Integer()
    lines = fields.List(fields.Nested(_Line))
    approvals = fields.List(fields.Nested(_Approval))
    recipients = fields.List(fields.Nested(_RecipientOut))
    document_sha256 = fields.String(allow_none=True)
    sent_at = fields.Timestamp(allow_none=True)
    accepted_at = fields.Timestamp(allow_none=True)
    signer = fields.Nested(_Signer, allow_none=True)
    decline_reason = fields.String(allow_none=True)
    allowed = fields.List(fields.String())

    PORTAL = (
        *QuoteRow.PORTAL,
        "tax_total",
        "gross_total",
        "payment_days",
        "term_months",
        "lines.line_id",
        "lines.sku",
        "lines.name",
        "lines.quantity",
        "lines.unit",
        "lines.unit_net",
        "lines.net",
        "document_sha256",
        "sent_at",
        "accepted_at",
        "signer",
    )


class QuoteFilters(Schema):
    state = fields.Enum(
        "draft", "in_approval", "approved", "sent", "accepted", "declined", "expired", "superseded"
    )
    opportunity_id = fields.Id()
    account_id = fields.Id()
    owner_id = fields.Id()
    number = fields.Text(40)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "valid_until", "number", default="-created_at")

    PORTAL = ("state", "account_id", "number", "ids", "sort")


class LinkedQuote(Schema):
    """What a recipient sees."""

    state = fields.String()
    document = fields.Raw()
    document_sha256 = fields.String()
    accepted_at = fields.Timestamp(allow_none=True)


class _LinkSigner(OpenSchema):
    name = fields.Text(200, required=True)
    email = fields.Email(required=True)
    title = fields.Text(200, load_default=None, allow_none=True)


class AcceptByLink(OpenSchema):
    signer = fields.Nested(_LinkSigner, required=True)
    document_sha256 = fields.String(required=True, validate=validate.Length(equal=64))


class DeclineByLink(OpenSchema):
    reason = fields.Text(2000, load_default=None, allow_none=True)
