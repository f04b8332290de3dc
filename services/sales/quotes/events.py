"""Facts about quotes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = ["QuoteAccepted", "QuoteApproved", "QuoteDeclined", "QuoteExpired", "QuoteSent", "QuoteState"]


@dataclass(frozen=True)
class QuoteState(Event):
    """What every fact about a quote carries."""

    quote_id: uuid.UUID
    number: str
    revision: int
    is_primary: bool
    opportunity_id: uuid.UUID | None
    account_id: uuid.UUID
    owner_id: uuid.UUID
    lead_id: uuid.UUID | None
    campaign_id: uuid.UUID | None
    currency: str
    valid_until: date
    payment_days: int
    term_months: int | None
    lines: list[dict[str, Any]]
    net_total: Money
    tax_total: Money
    gross_total: Money
    discount_bp: int
    margin_bp: int | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class QuoteApproved(QuoteState):
    TYPE = "crm.sales.quote.approved.v1"

    approved_by: uuid.UUID | None
    approved_at: datetime


@dataclass(frozen=True)
class QuoteSent(QuoteState):
    TYPE = "crm.sales.quote.sent.v1"

    sent_at: datetime
    recipients: list[dict[str, Any]]
    document_sha256: str


@dataclass(frozen=True)
class QuoteAccepted(QuoteState):
    TYPE = "crm.sales.quote.accepted.v1"

    accepted_at: datetime
    signer: dict[str, Any]
    document_sha256: str


@dataclass(frozen=True)
class QuoteDeclined(QuoteState):
    TYPE = "crm.sales.quote.declined.v1"

    declined_at: datetime
    reason: str | None


@dataclass(frozen=True)
class QuoteExpired(QuoteState):
    TYPE = "crm.sales.quote.expired.v1"

    expired_at: datetime
