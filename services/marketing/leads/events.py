"""Facts about leads."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.kernel.events import Event

__all__ = [
    "LeadCaptured",
    "LeadConverted",
    "LeadDisqualified",
    "LeadErased",
    "LeadJudged",
    "LeadMerged",
    "LeadQualified",
    "LeadRecycled",
    "LeadScored",
    "LeadState",
]


@dataclass(frozen=True)
class LeadState(Event):
    """The whole useful state, in every fact: a consumer never has to ask back."""

    lead_id: uuid.UUID
    person_id: uuid.UUID
    state: str
    source: str
    campaign_id: uuid.UUID | None
    captured_at: datetime
    person: dict[str, Any]
    company: dict[str, Any]
    product_group: str | None
    interest: str | None
    owner_team_id: uuid.UUID | None
    owner_id: uuid.UUID | None
    handover_no: int
    score: int | None
    grade: str | None
    temperature: str | None
    probability_bp: int | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class LeadCaptured(LeadState):
    TYPE = "crm.marketing.lead.captured.v1"

    submission_id: str | None
    utm: dict[str, Any]
    consent_text_version: str | None


@dataclass(frozen=True)
class LeadJudged(LeadState):
    TYPE = "crm.marketing.lead.judged.v1"

    verdict: dict[str, Any]


@dataclass(frozen=True)
class LeadScored(LeadState):
    TYPE = "crm.marketing.lead.scored.v1"

    scoring_model_id: uuid.UUID
    score_ref: Decimal
    score_ref_at: datetime
    half_life_seconds: int
    fit: int
    scored_at: datetime


@dataclass(frozen=True)
class LeadQualified(LeadState):
    TYPE = "crm.marketing.lead.qualified.v1"

    accept_by: datetime | None
    qualified_at: datetime
    qualified_by: str
    reason: str | None


@dataclass(frozen=True)
class LeadDisqualified(LeadState):
    TYPE = "crm.marketing.lead.disqualified.v1"

    reason: str
    disqualified_at: datetime


@dataclass(frozen=True)
class LeadRecycled(LeadState):
    TYPE = "crm.marketing.lead.recycled.v1"

    reason: str
    recycled_at: datetime
    cool_off_until: datetime | None
    recycle_count: int


@dataclass(frozen=True)
class LeadConverted(LeadState):
    TYPE = "crm.marketing.lead.converted.v1"

    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    converted_at: datetime


@dataclass(frozen=True)
class LeadMerged(LeadState):
    TYPE = "crm.marketing.lead.merged.v1"

    survivor_id: uuid.UUID
    merged_at: datetime


@dataclass(frozen=True)
class LeadErased(LeadState):
    """Whoever keeps something of the person blanks it on hearing this."""

    TYPE = "crm.marketing.lead.erased.v1"

    erased_at: datetime
