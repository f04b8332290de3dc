"""Publish exchange rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.identity.exchange_rates.errors import RateOfBaseCurrency
from services.identity.exchange_rates.model import PublishedRate
from services.identity.exchange_rates.repository import ExchangeRates
from shared.db.unit_of_work import UnitOfWork

__all__ = ["publish_rate"]


def publish_rate(
    currency: str, base_currency: str, rate: Decimal, valid_from: date, uow: UnitOfWork
) -> PublishedRate:
    """Let one unit of `currency` be `rate` units of `base_currency` from `valid_from` on.

    Raises RateOfBaseCurrency.
    """
    if currency == base_currency:
        raise RateOfBaseCurrency.field("/currency", f"{currency} is the base currency.")
    with uow:
        rates = ExchangeRates(uow.session)
        series = rates.series(currency, base_currency)
        return rates.keep(series.publish(rate, valid_from, uow.clock.now()))
