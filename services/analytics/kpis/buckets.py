"""Calendar buckets: days, ISO weeks, months, quarters and years between two dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from services.analytics.kpis.errors import TooManyPoints

__all__ = ["GRAINS", "MAX_POINTS", "Bucket", "buckets"]

GRAINS = ("day", "week", "month", "quarter", "year")
MAX_POINTS = 5_000
_SHORTEST_DAYS = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}


@dataclass(frozen=True, slots=True)
class Bucket:
    """The days from `start` to before `end`; `key` is the first day of the whole period, `label` its name."""

    key: date
    start: date
    end: date
    label: str


def buckets(start: date, end: date, grain: str) -> list[Bucket]:
    """The buckets of `grain` that lie in [start, end), the first and the last one cut off there.

    Raises TooManyPoints, naming a grain that would do.
    """
    if not _fits(start, end, grain):
        coarser = next(
            (other for other in GRAINS[GRAINS.index(grain) + 1 :] if _fits(start, end, other)), None
        )
        hint = f"Ask by {coarser}." if coarser else "Ask for a shorter time."
        raise TooManyPoints.field("/grain", f"At most {MAX_POINTS} points. {hint}")
    found = []
    key = _floor(start, grain)
    while key < end:
        following = _next(key, grain)
        found.append(Bucket(key, max(key, start), min(following, end), _label(key, grain)))
        key = following
    return found


def _fits(start: date, end: date, grain: str) -> bool:
    return (end - start).days // _SHORTEST_DAYS[grain] <= MAX_POINTS


def _floor(day: date, grain: str) -> date:
    match grain:
        case "day":
            return day
        case "week":
            return date.fromordinal(max(day.toordinal() - day.weekday(), 1))
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case _:
            return date(day.year, 1, 1)


def _next(key: date, grain: str) -> date:
    match grain:
        case "day":
            return key + timedelta(days=1)
        case "week":
            return key + timedelta(days=7)
        case _:
            months = {"month": 1, "quarter": 3, "year": 12}[grain]
            month = key.month - 1 + months
            return date(key.year + month // 12, month % 12 + 1, 1)


def _label(key: date, grain: str) -> str:
    match grain:
        case "day":
            return key.isoformat()
        case "week":
            year, week, _ = key.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case "month":
            return f"{key.year:04d}-{key.month:02d}"
        case "quarter":
            return f"{key.year:04d}-Q{(key.month + 2) // 3}"
        case _:
            return f"{key.year:04d}"
