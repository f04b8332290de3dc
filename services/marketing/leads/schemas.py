"""What callers send and get of leads, and what is read of the facts of others."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema as MessageSchema
from marshmallow import ValidationError, validate, validates_schema
from marshmallow import fields as members

from services.marketing.genuineness import VERDICTS
from shared.web import Schema, fields

__all__ = [
    "SOURCES",
    "AcceptedLead",
    "CaptureLead",
    "DismissDuplicate",
    "Doubles",
    "ErasedContact",
    "ErasedLead",
    "HandOver",
    "LeadFilters",
    "LeadOut",
    "LeadRow",
    "LeavingUser",
    "MergeLead",
    "NoteBehaviour",
    "OverrideVerdict",
    "Reason",
    "ReturnedLead",
]

SOURCES = ("web_form", "import", "api", "call", "event", "chat", "referral")
STATES = (
    *("new", "open", "held", "rejected", "qualified", "recycled", "converted", "disqualified", "merged"),
)
_PII = {"x-pii": True}
_TYPE = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,39}\Z", error="Small letters, digits and underscores are expected."
)
_COUNTRY = validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected.")


def _text(length: int, **metadata: Any) -> fields.Text:
    return fields.Text(length, allow_none=True, metadata=metadata)


class _Utm(Schema):
    source = _text(200)
    medium = _text(200)
    campaign = _text(200)
    term = _text(200)
    content = _text(200)


class CaptureLead(Schema):
    """At least an e-mail address or a telephone number; both are kept as typed."""

    source = fields.Enum(*SOURCES, load_default="api")
    submission_id = fields.Text(
        200, metadata={"description": "Names this capture for ever: sent again it makes no second lead"}
    )
    behaviour_type = fields.String(
        validate=_TYPE, load_default="form", metadata={"description": "What the person did; scored"}
    )
    captured_at = fields.Timestamp(metadata={"description": "For source import only: when it came in"})
    given_name = _text(120, **_PII)
    family_name = _text(120, **_PII)
    email = _text(254, **_PII)
    phone = _text(40, **_PII)
    title = _text(120)
    language = _text(35, description="BCP 47")
    time_zone = _text(64, description="IANA name")
    company_name = _text(200)
    domain = _text(253)
    industry = _text(120)
    employee_count = fields.Integer(min=0, max=100_000_000, allow_none=True)
    country = fields.String(validate=_COUNTRY, allow_none=True)
    region = _text(120)
    postal_code = _text(20)
    product_group = _text(120)
    interest = _text(5000)
    campaign_id = fields.Id(allow_none=True)
    owner_team_id = fields.Id(allow_none=True)
    utm = fields.Nested(_Utm)
    consent_text_version = _text(40)

    @validates_schema
    def _can_be_reached(self, values: dict[str, Any], **_: Any) -> None:
        if not values.get("email") and not values.get("phone"):
            says = ["An e-mail address or a telephone number is needed."]
            raise ValidationError({"email": says, "phone": says})
        if "captured_at" in values and values["source"] != "import":
            raise ValidationError({"captured_at": ["Only an import knows better than the clock."]})


class NoteBehaviour(Schema):
    type = fields.String(validate=_TYPE, required=True)
    source_id = fields.Text(
        200, required=True, metadata={"description": "Names the occasion: it counts once"}
    )
    occurred_at = fields.Timestamp(load_default=None, allow_none=True)


class OverrideVerdict(Schema):
    value = fields.Enum(*VERDICTS, required=True)
    reason = fields.Text(500, required=True)


class HandOver(Schema):
    owner_id = fields.Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "By default whose turn it is in the team"},
    )
    team_id = fields.Id(load_default=None, allow_none=True)
    reason = fields.Text(500, required=True)


class Reason(Schema):
    reason = fields.Text(500, required=True)


class MergeLead(Schema):
    lead_id = fields.Id(required=True, metadata={"description": "The other lead"})


class DismissDuplicate(Schema):
    lead_id = fields.Id(required=True, metadata={"description": "The lead that is somebody else"})


class LeadRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    state = fields.Enum(*STATES)
    origin = fields.String()
    source = fields.String()
    given_name = fields.String(allow_none=True, metadata=_PII)
    family_name = fields.String(allow_none=True, metadata=_PII)
    email = fields.String(allow_none=True, metadata=_PII)
    phone = fields.String(allow_none=True, metadata=_PII)
    company_name = fields.String(allow_none=True)
    country = fields.String(allow_none=True)
    product_group = fields.String(allow_none=True)
    campaign_id = fields.Id(allow_none=True)
    form_id = fields.Id(allow_none=True)
    score_ref = members.Float(allow_none=True, metadata={"description": "Score at score_ref_at"})
    score_ref_at = fields.Timestamp(allow_none=True)
    grade = fields.String(allow_none=True)
    temperature = fields.String(allow_none=True)
    owner_team_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    handover_no = fields.Integer()
    accept_by = fields.Timestamp(allow_none=True)
    merged_into_id = fields.Id(allow_none=True)
    captured_at = fields.Timestamp()
    erased_at = fields.Timestamp(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class _Signal(Schema):
    code = fields.String()
    points = fields.Integer()
    detail = fields.String()
    seen = fields.String(allow_none=True, metadata=_PII)


class _Verdict(Schema):
    value = fields.Enum(*VERDICTS)
    points = fields.Integer()
    reasons = fields.List(fields.Nested(_Signal))
    unchecked = fields.List(fields.String())
    judged_at = fields.String()
    judged_by = fields.String()


class _Contribution(Schema):
    type = fields.String()
    occurred_at = fields.String()
    weight = fields.String()
    value = fields.String(metadata={"description": "What is left of the weight at score_ref_at"})


class _Match(Schema):
    key = fields.String()
    points = fields.Integer()
    seen = fields.String(allow_none=True, metadata=_PII)


class _Explanation(Schema):
    behaviours = fields.List(fields.Nested(_Contribution))
    criteria = fields.List(fields.Nested(_Match))


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class _LogEntry(Schema):
    at = fields.String()
    verb = fields.String()
    state = fields.String()
    actor_id = fields.String()
    detail = fields.String(allow_none=True)


class LeadOut(LeadRow):
    person_id = fields.Id()
    submission_id = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    language = fields.String(allow_none=True)
    time_zone = fields.String(allow_none=True)
    phone_e164 = fields.String(allow_none=True, metadata=_PII)
    domain = fields.String(allow_none=True)
    industry = fields.String(allow_none=True)
    employee_count = fields.Integer(allow_none=True)
    region = fields.String(allow_none=True)
    postal_code = fields.String(allow_none=True)
    interest = fields.String(allow_none=True)
    utm = fields.Nested(_Utm)
    consent_text_version = fields.String(allow_none=True)
    verdict = fields.Nested(_Verdict, allow_none=True)
    machine_verdict = fields.Nested(_Verdict, allow_none=True)
    scoring_model_id = fields.Id(allow_none=True)
    half_life_seconds = fields.Integer(allow_none=True)
    fit = fields.Integer(allow_none=True)
    fit_coverage = members.Float(allow_none=True)
    explanation = fields.Nested(_Explanation, allow_none=True)
    recycle_count = fields.Integer()
    recycle_reason = fields.String(allow_none=True)
    recycled_at = fields.Timestamp(allow_none=True)
    cool_off_until = fields.Timestamp(allow_none=True)
    disqualify_reason = fields.String(allow_none=True)
    account_id = fields.Id(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    attention = fields.List(fields.Nested(_Attention))
    log = fields.List(fields.Nested(_LogEntry))
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())


class _Double(Schema):
    lead_id = fields.Id()
    state = fields.Enum(*STATES)
    captured_at = fields.Timestamp()
    level = fields.Enum("certain", "probable", "possible")
    score = members.Float(metadata={"description": "Likeness, 0 to 100"})
    signals = fields.List(fields.String())


class Doubles(Schema):
    items = fields.List(fields.Nested(_Double))


class LeadFilters(Schema):
    q = fields.Text(100, metadata={"description": "Part of the name or company, or the start of the mailbox"})
    state = fields.Enum(*STATES)
    temperature = fields.Enum("cold", "warm", "hot")
    grade = fields.Enum("A", "B", "C", "D", "F")
    source = fields.Enum(*SOURCES)
    origin = fields.Enum("user", "import")
    owner_id = fields.Id()
    owner_team_id = fields.Id()
    campaign_id = fields.Id()
    form_id = fields.Id()
    email = fields.Text(254, metadata={"description": "In any spelling of the mailbox"})
    captured_at_gte = fields.Timestamp()
    captured_at_lte = fields.Timestamp()
    needs_attention = fields.Boolean()
    erased = fields.Boolean()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("captured_at", "score", default="-captured_at")


class AcceptedLead(MessageSchema):
    """What is read of `sales.lead.accepted`."""

    lead_id = members.UUID(required=True)
    account_id = members.UUID(required=True)
    contact_id = members.UUID(required=True, allow_none=True)
    opportunity_id = members.UUID(required=True, allow_none=True)
    origin = members.String(required=True)


class ErasedContact(MessageSchema):
    """What is read of `sales.contact.erased`."""

    lead_ids = members.List(members.UUID(), required=True)


class ErasedLead(MessageSchema):
    """What is read of `sales.lead.erased`."""

    lead_id = members.UUID(required=True)


class ReturnedLead(MessageSchema):
    """What is read of `sales.lead.returned`."""

    lead_id = members.UUID(required=True)
    handover_no = members.Integer(required=True)
    reason = members.String(required=True)
    note = members.String(required=True, allow_none=True)
    origin = members.String(required=True)


class LeavingUser(MessageSchema):
    """What is read of `identity.user.deactivated`."""

    user_id = members.UUID(required=True)
