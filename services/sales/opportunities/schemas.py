"""What callers send and get of opportunities."""

from __future__ import annotations

from marshmallow import validate

from services.sales.opportunities.model import LOST_REASONS
from shared.kernel.money import Money
from shared.web import Schema, fields

__all__ = [
    "Board",
    "BoardFilters",
    "CreateOpportunity",
    "EditOpportunity",
    "LoseOpportunity",
    "MoveOpportunity",
    "OpportunityFilters",
    "OpportunityOut",
    "OpportunityRow",
    "ReopenOpportunity",
    "WinOpportunity",
]

_CATEGORIES = ("omitted", "pipeline", "best_case", "most_likely", "commit")


class EditOpportunity(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(200)
    account_id = fields.Id(allow_none=True)
    primary_contact_id = fields.Id(allow_none=True)
    owner_id = fields.Id()
    amount = fields.MoneyField(min=0, allow_none=True)
    expected_budget = fields.MoneyField(min=0, allow_none=True)
    close_date = fields.Date()
    next_step = fields.Text(500, allow_none=True)
    probability_bp = fields.Integer(min=0, max=9999)
    forecast_category = fields.Enum(*_CATEGORIES)


class CreateOpportunity(Schema):
    name = fields.Text(200, required=True)
    account_id = fields.Id(allow_none=True)
    primary_contact_id = fields.Id(allow_none=True)
    owner_id = fields.Id()
    pipeline_id = fields.Id()
    stage = fields.Text(40)
    amount = fields.MoneyField(min=0, allow_none=True)
    expected_budget = fields.MoneyField(min=0, allow_none=True)
    close_date = fields.Date(required=True)
    next_step = fields.Text(500, allow_none=True)
    lead_id = fields.Id(allow_none=True)
    campaign_id = fields.Id(allow_none=True)
    external_id = fields.Text(200, allow_none=True)


class MoveOpportunity(Schema):
    stage = fields.Text(40, required=True)
    override_reason = fields.Text(500, load_default=None, allow_none=True)


class WinOpportunity(Schema):
    close_date = fields.Date(load_default=None, allow_none=True, metadata={"description": "By default today"})


class LoseOpportunity(Schema):
    reason = fields.Enum(*LOST_REASONS, required=True)
    competitor = fields.Text(200, load_default=None, allow_none=True)
    note = fields.Text(2000, load_default=None, allow_none=True)
    close_date = fields.Date(load_default=None, allow_none=True)


class ReopenOpportunity(Schema):
    stage = fields.Text(40, load_default=None, allow_none=True)
    reason = fields.Text(500, required=True)


class OpportunityRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    status = fields.String()
    account_id = fields.Id(allow_none=True)
    account_name = fields.String(allow_none=True)
    owner_id = fields.Id()
    pipeline_id = fields.Id()
    stage = fields.String()
    stage_entered_at = fields.Timestamp()
    probability_bp = fields.Integer()
    forecast_category = fields.String()
    amount: fields.Field[Money] = fields.MoneyColumns("amount")
    close_date = fields.Date()
    next_step = fields.String(allow_none=True)
    external_id = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class _Line(Schema):
    line_id = fields.Id()
    product_id = fields.Id()
    sku = fields.String()
    name = fields.String()
    quantity = fields.String()
    unit = fields.String()
    unit_net = fields.Raw()
    net = fields.Raw()


class _StageVisit(Schema):
    stage = fields.String()
    entered_at = fields.String()
    actor_id = fields.String()
    reason = fields.String(allow_none=True)


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class OpportunityOut(OpportunityRow):
    amount = fields.MoneyField(allow_none=True)
    base_amount = fields.MoneyField(allow_none=True)
    amount_source = fields.String()
    expected_budget = fields.MoneyField(allow_none=True)
    primary_contact_id = fields.Id(allow_none=True)
    previous_stage = fields.String(allow_none=True)
    pipeline_version = fields.Integer()
    lines = fields.List(fields.Nested(_Line))
    lead_id = fields.Id(allow_none=True)
    campaign_id = fields.Id(allow_none=True)
    lost_reason = fields.String(allow_none=True)
    competitor = fields.String(allow_none=True)
    closed_at = fields.Timestamp(allow_none=True)
    stage_log = fields.List(fields.Nested(_StageVisit))
    attention = fields.List(fields.Nested(_Attention))
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())


class OpportunityFilters(Schema):
    q = fields.Text(100)
    stage = fields.Text(40)
    status = fields.Enum("open", "won", "lost")
    account_id = fields.Id()
    owner_id = fields.Id()
    pipeline_id = fields.Id()
    lead_id = fields.Id()
    external_id = fields.Text(200)
    amount_gte = fields.Decimal(places=3)
    amount_lte = fields.Decimal(places=3)
    close_date_gte = fields.Date()
    close_date_lte = fields.Date()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "close_date", "name", "amount", default="-created_at")


class BoardFilters(Schema):
    pipeline_id = fields.Id(load_default=None)


class _Column(Schema):
    pipeline_id = fields.Id()
    stage = fields.String()
    count = fields.Integer()
    amount = fields.MoneyField()
    weighted = fields.MoneyField()


class Board(Schema):
    columns = fields.List(fields.Nested(_Column))
