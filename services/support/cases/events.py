"""Facts about cases."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from shared.kernel.events import Event

__all__ = ["CaseAssigned", "CaseClosed", "CaseErased", "CaseOpened", "CaseResolved", "CaseState"]


@dataclass(frozen=True)
class CaseState(Event):
    """What every fact about a case carries."""

    case_id: uuid.UUID
    number: str
    kind: str
    subject: str
    channel: str
    state: str
    priority: str
    impact: str
    urgency: str
    account_id: uuid.UUID | None
    contact_id: uuid.UUID | None
    asset_id: uuid.UUID | None
    product_id: uuid.UUID | None
    contract_id: uuid.UUID | None
    contract_line_id: uuid.UUID | None
    order_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    campaign_id: uuid.UUID | None
    queue_id: uuid.UUID | None
    owner_id: uuid.UUID | None
    opened_at: datetime


@dataclass(frozen=True)
class CaseOpened(CaseState):
    TYPE = "crm.support.case.opened.v1"


@dataclass(frozen=True)
class CaseAssigned(CaseState):
    TYPE = "crm.support.case.assigned.v1"

    mode: str
    previous_owner_id: uuid.UUID | None
    previous_queue_id: uuid.UUID | None
    assigned_at: datetime


@dataclass(frozen=True)
class CaseResolved(CaseState):
    TYPE = "crm.support.case.resolved.v1"

    outcome: str
    resolved_at: datetime
    first_response_seconds: int | None
    resolution_seconds: int


@dataclass(frozen=True)
class CaseClosed(CaseState):
    TYPE = "crm.support.case.closed.v1"

    outcome: str
    reason: str
    closed_at: datetime


@dataclass(frozen=True)
class CaseErased(CaseState):
    TYPE = "crm.support.case.erased.v1"

    erased_at: datetime
