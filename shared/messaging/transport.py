"""What the bus asks of a broker. Two implementations pass one behaviour suite: Kafka and the Postgres log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = [
    "MAX_VALUE_BYTES",
    "BusUnavailable",
    "OutgoingRecord",
    "Publisher",
    "ReceivedRecord",
    "RecordRefused",
    "Subscriber",
    "Transport",
    "Withheld",
    "refuse_oversize",
]

MAX_VALUE_BYTES = 900_000


class BusUnavailable(Exception):
    """The broker cannot be reached; nothing is known about the records. Try again later."""


class RecordRefused(Exception):
    """The broker will never take this record."""


class Withheld(Exception):
    """Not sent, because an earlier record of the same key failed."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to publish. Header values are text."""

    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record as the broker holds it. `key` is "" where the producer gave none; header bytes that are no UTF-8
    arrive escaped."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    value: bytes
    timestamp: datetime

    @property
    def position(self) -> str:
        """Where the record lies in its topic, `partition:offset`."""
        return f"{self.partition}:{self.offset}"


class Publisher(Protocol):
    """Appends records. One thread uses it."""

    def publish(self, records: Sequence[OutgoingRecord]) -> list[Exception | None]:
        """Append in order and wait for the acknowledgements. Per record None (durably appended) or why not:
        RecordRefused, Withheld, or BusUnavailable for this record alone. Records of one key are never
        reordered. Raises BusUnavailable when nothing can be said about any record."""
        ...

    def close(self) -> None: ...


class Subscriber(Protocol):
    """Reads a group's topics. One thread uses it."""

    def poll(self, timeout: float) -> list[ReceivedRecord]:
        """The next records in order per key, waiting at most `timeout` seconds for the first. Raises
        BusUnavailable; the caller then closes and asks for a new subscriber."""
        ...

    def commit(self) -> None:
        """Everything polled so far is stored: do not deliver it to this group again."""
        ...

    def lag(self) -> dict[tuple[str, int], int]:
        """Records that wait for this group, by topic and partition."""
        ...

    def close(self) -> None: ...


class Transport(Protocol):
    """A broker. Makes clients; call it after fork only."""

    def publisher(self) -> Publisher: ...

    def subscriber(self, group: str, topics: Sequence[str]) -> Subscriber:
        """A member of `group`; a group that is new starts at the oldest record."""
        ...

    def read(
        self, topic: str, *, since: datetime | None = None, key: str | None = None
    ) -> Iterator[ReceivedRecord]:
        """Every record of `topic` that is there now, in order per key, without touching any group: from the
        time `since`, of the key `key`. Raises BusUnavailable."""
        ...


def refuse_oversize(record: OutgoingRecord) -> RecordRefused | None:
    """The refusal of a record that is larger than any broker here may take, else None."""
    if len(record.value) > MAX_VALUE_BYTES:
        return RecordRefused(f"the value has {len(record.value)} bytes, the limit is {MAX_VALUE_BYTES}")
    return None
