"""Publish an exchange rate against the company's base currency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.identity.exchange_rates import use_cases
from services.identity.exchange_rates.model import PublishedRate
from services.identity.organisation.repository import Organisations
from shared.db.unit_of_work import UnitOfWork

__all__ = ["publish_rate"]


def publish_rate(values: Mapping[str, Any], uow: UnitOfWork) -> PublishedRate:
    """Publish currency, rate, valid_from. Raises RateOfBaseCurrency, NotFound before the first run."""
    with uow:
        base_currency = Organisations(uow.session).only().base_currency
        return use_cases.publish_rate(base_currency=base_currency, uow=uow, **values)
