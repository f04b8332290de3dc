"""A broker that refuses or fails at chosen keys, on top of the real log."""

from __future__ import annotations

from collections.abc import Sequence

from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import BusUnavailable, OutgoingRecord, Publisher, RecordRefused, Withheld

__all__ = ["MoodyBroker", "published"]


class MoodyBroker:
    """Publishes to the log at `url`, but not what stands in `fails` and `refuses` (keys), and nothing at all while
    it is `away`."""

    def __init__(self, url: str) -> None:
        self.fails: set[str] = set()
        self.refuses: set[str] = set()
        self.away = False
        self._url = url

    def publisher(self) -> Publisher:
        return _MoodyPublisher(self, PostgresBus(self._url).publisher())


class _MoodyPublisher:
    def __init__(self, broker: MoodyBroker, real: Publisher) -> None:
        self._broker = broker
        self._real = real

    def publish(self, records: Sequence[OutgoingRecord]) -> list[Exception | None]:
        if self._broker.away:
            raise BusUnavailable("the broker is away")
        outcomes: list[Exception | None] = []
        failed: set[str] = set()
        for record in records:
            outcome: Exception | None = None
            if record.key in failed:
                outcome = Withheld("an earlier record of this key was not sent")
            elif record.key in self._broker.fails:
                outcome = BusUnavailable("this one timed out")
            elif record.key in self._broker.refuses:
                outcome = RecordRefused("too large")
            else:
                (outcome,) = self._real.publish([record])
            if outcome is not None:
                failed.add(record.key)
            outcomes.append(outcome)
        return outcomes

    def close(self) -> None:
        self._real.close()


def published(bus_url: str, topic: str) -> list[tuple[str, str]]:
    """Key and version of every record in `topic`, in order."""
    return [
        (record.key, record.headers["ce_aggregateversion"]) for record in PostgresBus(bus_url).read(topic)
    ]
