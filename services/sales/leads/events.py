"""Facts about leads: what became of them here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from shared.kernel.events import Event

__all__ = ["LeadAccepted", "LeadErased", "LeadReturned"]


@dataclass(frozen=True)
class LeadAccepted(Event):
    TYPE = "crm.sales.lead.accepted.v1"

    lead_id: uuid.UUID
    handover_no: int
    campaign_id: uuid.UUID | None
    accepted_by: uuid.UUID
    owner_id: uuid.UUID
    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class LeadReturned(Event):
    TYPE = "crm.sales.lead.returned.v1"

    lead_id: uuid.UUID
    handover_no: int
    campaign_id: uuid.UUID | None
    returned_by: uuid.UUID
    reason: str
    note: str | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class LeadErased(Event):
    TYPE = "crm.sales.lead.erased.v1"

    lead_id: uuid.UUID
    erased_at: datetime
    origin: str
    effective_at: datetime
