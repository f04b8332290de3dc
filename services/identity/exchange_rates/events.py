"""Facts about exchange rates."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from shared.kernel.events import Event

__all__ = ["ExchangeRatePublished"]


@dataclass(frozen=True)
class ExchangeRatePublished(Event):
    """A rate holds from a day on, until a newer one for the same currency."""

    TYPE = "crm.identity.exchange_rate.published.v1"

    exchange_rate_id: uuid.UUID
    currency: str
    base_currency: str
    rate: Decimal
    valid_from: date
    published_at: datetime
