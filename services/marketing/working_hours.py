"""Deadlines in working time: Monday to Friday, 09:00 to 17:00 where the company is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["add_working_time"]

OPENS = time(9)
CLOSES = time(17)
_SATURDAY = 5


def add_working_time(start: datetime, duration: timedelta, zone: ZoneInfo) -> datetime:
    """The UTC instant at which `duration` of working time has passed since `start`.

    Time is measured on the day itself, so a day on which the clocks change keeps its real length.
    """
    left = duration
    day = start.astimezone(zone).date()
    while True:
        if day.weekday() < _SATURDAY:
            opens = max(datetime.combine(day, OPENS, zone).astimezone(UTC), start.astimezone(UTC))
            closes = datetime.combine(day, CLOSES, zone).astimezone(UTC)
            open_time = max(closes - opens, timedelta())
            if left <= open_time:
                return opens + left
            left -= open_time
        day += timedelta(days=1)
