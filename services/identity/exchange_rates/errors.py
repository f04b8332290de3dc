"""Refusals of the exchange rates slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid

__all__ = ["RateOfBaseCurrency"]


class RateOfBaseCurrency(Invalid):
    """The base currency is always worth one of itself."""

    problem = "rate-of-base-currency"
    title = "The base currency has no rate"
