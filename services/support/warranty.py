"""Warranty periods and cover decisions: pure rules of dates."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

__all__ = ["Cover", "add_months", "decide_cover", "warranty_end"]


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or the last day of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def warranty_end(starts_on: date | None, months: int) -> date | None:
    """The last day under warranty; None without a start or without a warranty."""
    if starts_on is None or months == 0:
        return None
    return add_months(starts_on, months) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cover:
    """Who pays for what. `basis`: warranty, contract or none; `reason` is a sentence for people."""

    basis: str
    parts: bool
    labour: bool
    travel: bool
    reason: str


def decide_cover(
    reported_on: date, warranty_starts: date | None, warranty_ends: date | None, contract_number: str | None
) -> Cover:
    """Decide on the day of the customer's report, never the day of the visit.

    A warranty pays parts and labour; a contract pays travel as well, and everything where the warranty is over.
    """
    in_warranty = (
        warranty_starts is not None
        and warranty_ends is not None
        and warranty_starts <= reported_on <= warranty_ends
    )
    if in_warranty and contract_number:
        return Cover(
            "warranty", True, True, True, f"Under warranty until {warranty_ends}, contract {contract_number}."
        )
    if in_warranty:
        return Cover("warranty", True, True, False, f"Under warranty until {warranty_ends}.")
    if contract_number:
        return Cover("contract", True, True, True, f"Covered by the contract {contract_number}.")
    ended = f"The warranty ended on {warranty_ends}" if warranty_ends else "There is no warranty"
    return Cover("none", False, False, False, f"{ended} and no contract covers it.")
