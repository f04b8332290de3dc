"""Read exchange rates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.identity.exchange_rates.model import PublishedRate, RateSeries
from services.identity.exchange_rates.repository import ExchangeRates
from shared.db.listing import Listing, Page, at_least, at_most, equals

__all__ = ["get_rate", "list_rates"]

_RATES = Listing(
    select(
        PublishedRate.id,
        RateSeries.currency,
        RateSeries.base_currency,
        PublishedRate.rate,
        PublishedRate.valid_from,
        PublishedRate.published_at,
    ).join(RateSeries),
    key=PublishedRate.id,
    filters={
        "currency": equals(RateSeries.currency),
        "base_currency": equals(RateSeries.base_currency),
        "valid_from_gte": at_least(PublishedRate.valid_from),
        "valid_from_lte": at_most(PublishedRate.valid_from),
    },
    sorts={"valid_from": PublishedRate.valid_from, "published_at": PublishedRate.published_at},
)


def list_rates(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of published rates."""
    return _RATES.page(session, arguments)


def get_rate(session: Session, rate_id: uuid.UUID) -> PublishedRate:
    """One published rate. Raises NotFound."""
    return ExchangeRates(session).publication(rate_id)
