"""Which month a fact belongs to, by its id: a UUIDv7 (RFC 9562) begins with the Unix time in milliseconds, so
partitions by month of the id can keep the id unique."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Month", "month_of"]

_FIRST, _LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_TIME_SHIFT = 80


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC. `low` and `high` bound the ids made in it, `high` excluded."""

    year: int
    month: int

    @property
    def name(self) -> str:
        return f"{self.year}_{self.month:02d}"

    @property
    def low(self) -> uuid.UUID:
        begins = datetime(self.year, self.month, 1, tzinfo=UTC)
        return uuid.UUID(int=int(begins.timestamp() * 1000) << _TIME_SHIFT)

    @property
    def high(self) -> uuid.UUID:
        return Month(self.year + self.month // 12, self.month % 12 + 1).low


def month_of(event_id: uuid.UUID) -> Month | None:
    """The month that the id's first 48 bits name; None where they are no time from 2020 to 2099."""
    milliseconds = event_id.int >> _TIME_SHIFT
    if not _FIRST.timestamp() * 1000 <= milliseconds < _LAST.timestamp() * 1000:
        return None
    made = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return Month(made.year, made.month)
