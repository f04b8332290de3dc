"""Facts about opportunities."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = [
    "OpportunityChanged",
    "OpportunityCreated",
    "OpportunityLost",
    "OpportunityReopened",
    "OpportunityStageChanged",
    "OpportunityState",
    "OpportunityWon",
]


@dataclass(frozen=True)
class OpportunityState(Event):
    """The whole useful state, in every fact: a consumer never has to ask back."""

    opportunity_id: uuid.UUID
    name: str
    status: str
    account_id: uuid.UUID | None
    account_name: str | None
    primary_contact_id: uuid.UUID | None
    owner_id: uuid.UUID
    team: list[dict[str, Any]]
    pipeline_id: uuid.UUID
    pipeline_version: int
    stage: str
    previous_stage: str | None
    stage_entered_at: datetime
    probability_bp: int
    forecast_category: str
    amount: Money | None
    base_amount: Money | None
    amount_source: str
    expected_budget: Money | None
    close_date: date
    lead_id: uuid.UUID | None
    campaign_id: uuid.UUID | None
    lines: list[dict[str, Any]]
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class OpportunityCreated(OpportunityState):
    TYPE = "crm.sales.opportunity.created.v1"


@dataclass(frozen=True)
class OpportunityChanged(OpportunityState):
    TYPE = "crm.sales.opportunity.changed.v1"

    changed_fields: list[str]


@dataclass(frozen=True)
class OpportunityStageChanged(OpportunityState):
    TYPE = "crm.sales.opportunity.stage_changed.v1"

    override_reason: str | None


@dataclass(frozen=True)
class OpportunityWon(OpportunityState):
    TYPE = "crm.sales.opportunity.won.v1"

    quote_id: uuid.UUID | None
    order_id: uuid.UUID | None
    contact_ids: list[uuid.UUID]
    term_months: int | None
    won_at: datetime


@dataclass(frozen=True)
class OpportunityLost(OpportunityState):
    TYPE = "crm.sales.opportunity.lost.v1"

    reason: str
    competitor_id: uuid.UUID | None
    competitor_name: str | None
    note: str | None
    lost_at: datetime


@dataclass(frozen=True)
class OpportunityReopened(OpportunityState):
    TYPE = "crm.sales.opportunity.reopened.v1"

    previous_status: str
    reason: str
