"""Get and find series of exchange rates."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from services.identity.exchange_rates.model import PublishedRate, RateSeries
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["ExchangeRates"]


class ExchangeRates(Repository[RateSeries]):
    """The series of one session, with their rates."""

    model = RateSeries

    def series(self, currency: str, base_currency: str) -> RateSeries:
        """The series of a currency, held until commit; a new one where there is none."""
        wanted = (RateSeries.currency == currency, RateSeries.base_currency == base_currency)
        found = self.session.scalar(select(RateSeries).where(*wanted).with_for_update())
        return found or self.add(RateSeries.begin(currency, base_currency))

    def publication(self, rate_id: uuid.UUID) -> PublishedRate:
        """One published rate. Raises NotFound."""
        found = self.session.get(PublishedRate, rate_id)
        if found is None:
            raise NotFound(f"There is no exchange rate with the id {rate_id}.")
        return found

    def keep(self, rate: PublishedRate) -> PublishedRate:
        """Keep a published rate."""
        self.session.add(rate)
        return rate
