"""Ingest stores what it polls before it tells the broker so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest

from shared.messaging.inbox import Stored
from shared.messaging.ingest import Ingest, Store
from shared.messaging.loop import Loop
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord, ReceivedRecord, Subscriber
from shared.observability.metrics import metrics_page
from shared.service import Runtime
from tests.shared.ledger import TOPIC
from tests.shared.messaging.arrivals import inbox, linked


class _Follower(Loop):
    """Counts how often it is woken."""

    def __init__(self) -> None:
        super().__init__("follower")
        self.woken = 0

    def step(self) -> bool:
        return False

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def follower() -> _Follower:
    return _Follower()


@pytest.fixture
def bus(bus_database: str) -> PostgresBus:
    return PostgresBus(bus_database)


@pytest.fixture
def start_ingest(erp: Runtime, bus: PostgresBus, follower: _Follower) -> Iterator[Callable[..., Ingest]]:
    """Makes the ingest of the group and closes it at the end."""
    made: list[Ingest] = []

    def start(store: Store | None = None, open_subscriber: Callable[[], Subscriber] | None = None) -> Ingest:
        subscribe = open_subscriber or (lambda: bus.subscriber("crm.erp", [TOPIC]))
        made.append(
            Ingest(
                erp.settings.database_url,
                subscribe,
                store or erp.service.arrivals(),
                erp.clock,
                "crm.erp",
                [follower],
            )
        )
        return made[-1]

    yield start
    for ingest in made:
        ingest.close()


def _publish(bus: PostgresBus, *records: ReceivedRecord) -> None:
    publisher = bus.publisher()
    publisher.publish([OutgoingRecord(TOPIC, each.key, each.headers, each.value) for each in records])
    publisher.close()


def test_what_is_polled_is_stored_and_the_workers_are_woken(
    erp: Runtime, bus: PostgresBus, start_ingest: Callable[..., Ingest], follower: _Follower
) -> None:
    _publish(bus, linked("a", 1), linked("a", 2))
    assert start_ingest().step() is True
    assert [row.aggregate_version for row in inbox(erp.database)] == [1, 2]
    assert follower.woken == 1


def test_the_broker_is_told_what_is_stored(
    bus: PostgresBus, start_ingest: Callable[..., Ingest], bus_database: str
) -> None:
    _publish(bus, linked("a"))
    start_ingest().step()
    with psycopg.connect(bus_database) as connection:
        (stored,) = connection.execute("SELECT consumer_group, topic, position FROM group_offsets").fetchall()
        (last,) = connection.execute("SELECT max(position) FROM log").fetchall()
    assert stored == ("crm.erp", TOPIC, *last)


class _Failing:
    """A store that fails once."""

    def __init__(self, real: Store) -> None:
        self.real = real
        self.fails = True

    def store(
        self, connection: psycopg.Connection[Any], records: Sequence[ReceivedRecord], now: datetime
    ) -> Stored:
        stored = self.real.store(connection, records, now)
        if self.fails:
            self.fails = False
            raise psycopg.OperationalError("the disk is full")
        return stored


def test_what_could_not_be_stored_is_delivered_again(
    erp: Runtime, bus: PostgresBus, start_ingest: Callable[..., Ingest], follower: _Follower
) -> None:
    _publish(bus, linked("a", 1), linked("a", 2))
    ingest = start_ingest(_Failing(erp.service.arrivals()))
    with pytest.raises(psycopg.OperationalError):
        ingest.step()
    ingest.recover()
    assert inbox(erp.database) == []
    assert follower.woken == 0
    while not inbox(erp.database):
        ingest.step()
    assert [row.aggregate_version for row in inbox(erp.database)] == [1, 2]


def test_duplicates_are_counted(bus: PostgresBus, start_ingest: Callable[..., Ingest]) -> None:
    def count() -> float:
        lines = [line for line in metrics_page().decode().splitlines() if "inbox_duplicates" in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#"))

    before = count()
    record = linked("a")
    _publish(bus, record, record, record)
    start_ingest().step()
    assert count() == before + 2


def test_the_lag_is_measured_now_and_then(
    bus: PostgresBus, start_ingest: Callable[..., Ingest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.ingest.LAG_INTERVAL", 0.0)
    _publish(bus, linked("a"))
    start_ingest().step()
    page = metrics_page().decode()
    assert 'crm_consumer_lag{consumer="crm.erp",partition="0",topic="crm.erp.customer"} 0.0' in page
