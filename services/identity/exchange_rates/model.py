"""The exchange rate aggregate: the series of one currency, and the rates published in it."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Self

from sqlalchemy import CHAR, ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.identity.database import Base
from services.identity.exchange_rates.events import ExchangeRatePublished
from shared.db.base import AggregateRoot
from shared.kernel.ids import new_id

__all__ = ["PublishedRate", "RateSeries"]


class PublishedRate(Base):
    """One unit of the series' currency in the base currency, from `valid_from` on.

    The day is one of the company's zone. Rows are never changed: a later one for the same day corrects it.
    """

    __tablename__ = "published_rates"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    series_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("rate_series.id"))
    rate: Mapped[Decimal] = mapped_column(Numeric)
    valid_from: Mapped[date]
    published_at: Mapped[datetime]
    series: Mapped[RateSeries] = relationship(lazy="joined", innerjoin=True)

    @property
    def currency(self) -> str:
        """What is priced."""
        return self.series.currency

    @property
    def base_currency(self) -> str:
        """What it is priced in."""
        return self.series.base_currency


class RateSeries(AggregateRoot, Base):
    """All rates of a currency against one base currency."""

    __tablename__ = "rate_series"
    AGGREGATE = "exchange_rate"

    currency: Mapped[str] = mapped_column(CHAR(3))
    base_currency: Mapped[str] = mapped_column(CHAR(3))
    last_published_at: Mapped[datetime]

    @classmethod
    def begin(cls, currency: str, base_currency: str) -> Self:
        """A series without a rate yet."""
        return cls(currency=currency, base_currency=base_currency)

    def publish(self, rate: Decimal, valid_from: date, now: datetime) -> PublishedRate:
        """Let `rate` hold from `valid_from` on."""
        self.last_published_at = now
        self.record(
            ExchangeRatePublished(
                exchange_rate_id=self.id,
                currency=self.currency,
                base_currency=self.base_currency,
                rate=rate,
                valid_from=valid_from,
                published_at=now,
            )
        )
        return PublishedRate(id=new_id(), series=self, rate=rate, valid_from=valid_from, published_at=now)
