"""What callers send and get of leads, and what is read of marketing's facts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from services.sales.leads.model import RETURN_REASONS
from shared.kernel.money import MINOR_UNITS
from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AcceptLead",
    "LeadFilters",
    "LeadOut",
    "LeadRow",
    "MarketingLead",
    "QualifiedLead",
    "ReturnLead",
    "SettledLead",
]


class _Person(OpenSchema):
    given_name = fields.String(required=True, allow_none=True)
    family_name = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    title = fields.String(required=True, allow_none=True)
    language = fields.String(required=True, allow_none=True)
    time_zone = fields.String(required=True, allow_none=True)


class _Company(OpenSchema):
    name = fields.String(required=True, allow_none=True)
    domain = fields.String(required=True, allow_none=True)
    industry = fields.String(required=True, allow_none=True)
    employee_count = fields.Integer(required=True, allow_none=True)
    country = fields.String(required=True, allow_none=True)
    region = fields.String(required=True, allow_none=True)
    postal_code = fields.String(required=True, allow_none=True)


class MarketingLead(OpenSchema):
    lead_id = fields.Id(required=True)


class QualifiedLead(MarketingLead):
    handover_no = fields.Integer(required=True)
    accept_by = fields.Timestamp(required=True, allow_none=True)
    owner_id = fields.Id(required=True, allow_none=True)
    owner_team_id = fields.Id(required=True, allow_none=True)
    person = fields.Nested(_Person, required=True)
    company = fields.Nested(_Company, required=True)
    score = fields.Integer(required=True, allow_none=True)
    grade = fields.String(required=True, allow_none=True)
    temperature = fields.String(required=True, allow_none=True)
    probability_bp = fields.Integer(required=True, allow_none=True)
    product_group = fields.String(required=True, allow_none=True)
    interest = fields.String(required=True, allow_none=True)
    source = fields.String(required=True)
    campaign_id = fields.Id(required=True, allow_none=True)
    qualified_at = fields.Timestamp(required=True)
    origin = fields.String(load_default="user")


class _NewAccount(Schema):
    """What is left out is taken from the lead."""

    name = fields.Text(200)
    website = fields.Text(300, allow_none=True)
    industry = fields.Text(120, allow_none=True)
    phone = fields.Phone(allow_none=True)
    currency = fields.String(
        validate=validate.OneOf(sorted(MINOR_UNITS), error="Not an ISO 4217 currency code.")
    )


class _NewContact(Schema):
    """What is left out is taken from the lead."""

    given_name = fields.Text(100, allow_none=True)
    family_name = fields.Text(100, allow_none=True)
    title = fields.Text(200, allow_none=True)
    email = fields.Email(allow_none=True)
    phone = fields.Phone(allow_none=True)


class _NewOpportunity(Schema):
    name = fields.Text(200, required=True)
    pipeline_id = fields.Id()
    amount = fields.MoneyField(min=0, allow_none=True)
    close_date = fields.Date(metadata={"description": "By default 90 days from today"})


class _LinkOrCreate(Schema):
    link = fields.Id()

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Either link or create is expected.")


class _AccountChoice(_LinkOrCreate):
    create = fields.Nested(_NewAccount)


class _ContactChoice(_LinkOrCreate):
    create = fields.Nested(_NewContact)


class _OpportunityChoice(_LinkOrCreate):
    create = fields.Nested(_NewOpportunity)


class AcceptLead(Schema):
    """Which records the lead becomes; `opportunity: null` accepts it without a deal."""

    account = fields.Nested(_AccountChoice, required=True)
    contact = fields.Nested(_ContactChoice, required=True)
    opportunity = fields.Nested(_OpportunityChoice, load_default=None, allow_none=True)
    confirm_not_duplicate = fields.Boolean(load_default=False)


class ReturnLead(Schema):
    reason = fields.Enum(*RETURN_REASONS, required=True)
    note = fields.Text(2000, load_default=None, allow_none=True)


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class LeadRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    state = fields.String()
    handover_no = fields.Integer()
    accept_by = fields.Timestamp(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    owner_team_id = fields.Id(allow_none=True)
    person = fields.Nested(_Person)
    company = fields.Nested(_Company)
    score = fields.Integer(allow_none=True)
    grade = fields.String(allow_none=True)
    temperature = fields.String(allow_none=True)
    campaign_id = fields.Id(allow_none=True)
    attention = fields.List(fields.Nested(_Attention))
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class SettledLead(LeadRow):
    probability_bp = fields.Integer(allow_none=True)
    product_group = fields.String(allow_none=True)
    interest = fields.String(allow_none=True)
    source = fields.String()
    account_id = fields.Id(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    settled_at = fields.Timestamp(allow_none=True)
    settled_by = fields.Id(allow_none=True)
    return_reason = fields.String(allow_none=True)
    return_note = fields.String(allow_none=True)
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())


class _Candidate(Schema):
    id = fields.Id()
    name = fields.String()
    score = fields.Decimal()


class _Candidates(Schema):
    accounts = fields.List(fields.Nested(_Candidate))
    contacts = fields.List(fields.Nested(_Candidate))


class LeadOut(SettledLead):
    candidates = fields.Nested(
        _Candidates, metadata={"description": "Records that may be the same, while the lead is on offer."}
    )


class LeadFilters(Schema):
    state = fields.Enum("offered", "accepted", "returned", "withdrawn")
    owner_id = fields.Id()
    owner_team_id = fields.Id()
    temperature = fields.Enum("cold", "warm", "hot")
    campaign_id = fields.Id()
    needs_attention = fields.Boolean()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "score", default="-created_at")
