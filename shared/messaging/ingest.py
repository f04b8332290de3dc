"""Ingest: the one thread that owns the broker's consumer. It stores what arrives and never runs a handler, so a
slow or poisonous fact holds up nobody else and the group is never left by accident."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import psycopg

from shared.crash_points import passing
from shared.db.engine import connect
from shared.kernel.clock import Clock
from shared.messaging.inbox import Stored
from shared.messaging.loop import Loop
from shared.messaging.transport import ReceivedRecord, Subscriber
from shared.observability.metrics import metrics

__all__ = ["Ingest", "Store"]

POLL_SECONDS = 0.5
"""How long a poll waits for the first record, and so how long a stop may take."""

LAG_INTERVAL = 10.0
"""Seconds between two measurements of the lag, which cost the broker a question."""


class Store(Protocol):
    """Where arriving records go: the inbox, or an archive that is log and inbox in one."""

    def store(
        self, connection: psycopg.Connection[Any], records: Sequence[ReceivedRecord], now: datetime
    ) -> Stored:
        """Store a batch inside the caller's transaction; records known already change nothing."""
        ...


class Ingest(Loop):
    """Polls, stores the batch in one transaction, commits the broker's offsets after the database commit."""

    def __init__(
        self,
        database_url: str,
        open_subscriber: Callable[[], Subscriber],
        store: Store,
        clock: Clock,
        group: str,
        followers: Sequence[Loop],
    ) -> None:
        super().__init__("ingest", interval=0)
        self._url = database_url
        self._open_subscriber = open_subscriber
        self._store = store
        self._clock = clock
        self._group = group
        self._followers = followers
        self._lag_measured_at = time.monotonic()
        self._connection: psycopg.Connection[Any] | None = None
        self._subscriber: Subscriber | None = None

    def step(self) -> bool:
        if self._connection is None:
            self._connection = connect(self._url, application="ingest")
        if self._subscriber is None:
            self._subscriber = self._open_subscriber()
        records = self._subscriber.poll(timeout=POLL_SECONDS)
        if records:
            passing("I1")
            with self._connection.transaction():
                stored = self._store.store(self._connection, records, self._clock.now())
            passing("I2")
            for follower in self._followers:
                follower.wake()
            self._subscriber.commit()
            passing("I3")
            for topic, count in stored.duplicates.items():
                metrics.duplicate_dropped(topic, count)
        self._measure_lag()
        return True

    def _measure_lag(self) -> None:
        now = time.monotonic()
        if self._subscriber is not None and now - self._lag_measured_at >= LAG_INTERVAL:
            metrics.lag_measured(self._group, self._subscriber.lag())
            self._lag_measured_at = now

    def recover(self) -> None:
        self.close()

    def close(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()
            self._subscriber = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
