"""Ask the local copy: settings, and amounts in the base currency."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.company.tables import COMPANY, EXCHANGE_RATES
from shared.kernel.errors import Invalid
from shared.kernel.money import Money

__all__ = ["Company", "NoRate", "company", "in_base_currency"]

KEPT_SECONDS = 15.0


class NoRate(Invalid):
    """There is no exchange rate for the currency on that day."""

    problem = "no-exchange-rate"
    title = "There is no exchange rate"


@dataclass(frozen=True, slots=True)
class Company:
    """The company's settings. `zone` decides what day it is."""

    name: str
    base_currency: str
    zone: ZoneInfo
    fiscal_year_start_month: int

    def today(self, now: datetime) -> date:
        """The date of the instant `now` where the company is."""
        return now.astimezone(self.zone).date()


# Before identity has told anything.
_UNTOLD = Company("", "EUR", ZoneInfo("UTC"), 1)
_kept: WeakKeyDictionary[Engine, tuple[float, Company]] = WeakKeyDictionary()


def company(session: Session) -> Company:
    """The settings, at most 15 s old."""
    engine = session.get_bind().engine
    kept = _kept.get(engine)
    if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    row = session.execute(select(COMPANY)).first()
    found = _UNTOLD
    if row is not None:
        found = Company(row.name, row.base_currency, ZoneInfo(row.company_zone), row.fiscal_year_start_month)
    _kept[engine] = (time.monotonic(), found)
    return found


def in_base_currency(session: Session, amount: Money, on: date) -> Money:
    """`amount` in the base currency at the rate in force on the day `on` (the newest `valid_from` not after it).

    Rounded half up. Raises NoRate, never takes zero for an answer.
    """
    base = company(session).base_currency
    if amount.currency == base:
        return amount
    r = EXCHANGE_RATES.c
    rate: Decimal | None = session.scalar(
        select(r.rate)
        .where(r.currency == amount.currency, r.base_currency == base, r.valid_from <= on)
        .order_by(r.valid_from.desc())
        .limit(1)
    )
    if rate is None:
        raise NoRate.field(
            "/amount",
            f"There is no exchange rate from {amount.currency} to {base} on {on}. Publish one first.",
        )
    return Money.of(amount.amount * rate, base)
