"""What only the Postgres log has: one reader a group, bounded batches, retention. See the behaviour suite of both."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from shared.kernel.clock import SystemClock
from shared.messaging.postgres_bus import PostgresBus, create_log
from shared.messaging.transport import BusUnavailable, OutgoingRecord, Subscriber
from tests.shared.messaging.buses import eventually, record

MEGABYTE = 2**20


@pytest.fixture
def bus(bus_database: str) -> PostgresBus:
    return PostgresBus(bus_database)


def _publish(bus: PostgresBus, *records: OutgoingRecord) -> None:
    publisher = bus.publisher()
    assert publisher.publish(records) == [None] * len(records)
    publisher.close()


def _large(topic: str, count: int) -> list[OutgoingRecord]:
    return [OutgoingRecord(topic, f"k{number}", {}, b"x" * 800_000) for number in range(count)]


def _poll(subscriber: Subscriber) -> list[int]:
    return [len(each.value) for each in subscriber.poll(0.05)]


def test_the_log_is_created_once(bus_database: str, bus: PostgresBus) -> None:
    _publish(bus, record("t", "k", 1))
    create_log(bus_database)
    assert len(list(bus.read("t"))) == 1


def test_a_group_has_one_reader_and_another_when_it_goes(bus: PostgresBus) -> None:
    _publish(bus, record("t", "k", 1))
    first, second = bus.subscriber("g", ["t"]), bus.subscriber("g", ["t"])
    assert len(first.poll(0.05)) == 1
    assert second.poll(0.05) == []
    first.close()
    assert len(eventually(lambda: second.poll(0.05), "nobody took over")) == 1
    second.close()


def test_large_values_come_in_several_batches(bus: PostgresBus) -> None:
    _publish(bus, *_large("t", 15))
    _publish(bus, *_large("u", 15))
    subscriber = bus.subscriber("g", ["t", "u"])
    batches = [_poll(subscriber), _poll(subscriber), _poll(subscriber)]
    assert [len(batch) for batch in batches] == [21, 9, 0]
    assert all(sum(batch) < 17 * MEGABYTE for batch in batches)
    subscriber.close()


def test_a_reading_of_large_values_is_complete(bus: PostgresBus) -> None:
    _publish(bus, *_large("t", 25))
    assert [each.key for each in bus.read("t")] == [f"k{number}" for number in range(25)]


def test_notices_about_other_topics_deliver_nothing(bus: PostgresBus) -> None:
    subscriber = bus.subscriber("g", ["t"])
    assert subscriber.poll(0.01) == []
    _publish(bus, record("other", "k", 1))
    assert subscriber.poll(0.05) == []
    _publish(bus, record("t", "k", 1))
    assert len(eventually(lambda: subscriber.poll(0.05), "nothing came")) == 1
    subscriber.close()


def _age(bus_database: str, key: str, days: int) -> None:
    with psycopg.connect(bus_database) as log:
        log.execute(
            "UPDATE log SET appended_at = clock_timestamp() - make_interval(days => %s) WHERE key = %s",
            (days, key),
        )


def test_old_records_of_a_topic_expire(bus: PostgresBus, bus_database: str) -> None:
    _publish(bus, *(record("t", "old", number) for number in range(1_200)), record("u", "old", 1))
    _publish(bus, record("t", "new", 1))
    _age(bus_database, "old", 15)
    before = SystemClock().now() - timedelta(days=14)
    assert bus.expire("t", before) == 1_200
    assert bus.expire("t", before) == 0
    assert [each.key for each in bus.read("t")] == ["new"]
    assert len(list(bus.read("u"))) == 1


def test_a_topic_of_old_records_alone_expires_whole(bus: PostgresBus, bus_database: str) -> None:
    _publish(bus, record("t", "old", 1), record("t", "old", 2))
    _age(bus_database, "old", 15)
    assert bus.expire("t", SystemClock().now() - timedelta(days=14)) == 2


def test_positions_are_never_given_twice(bus: PostgresBus) -> None:
    """A group that stands behind what expired gets what came after it."""
    subscriber = bus.subscriber("g", ["t"])
    _publish(bus, record("t", "k", 1), record("t", "k", 2))
    assert len(subscriber.poll(0.05)) == 2
    subscriber.commit()
    bus.expire("t", SystemClock().now() + timedelta(days=1))
    _publish(bus, record("t", "k", 3))
    assert [each.value for each in subscriber.poll(0.05)] == [b"k-3"]
    subscriber.close()


def test_a_log_that_is_away_is_said_to_be() -> None:
    away = PostgresBus("postgresql://nobody@127.0.0.1:1/nowhere")
    for ask in (
        away.publisher,
        lambda: away.subscriber("g", ["t"]),
        lambda: list(away.read("t")),
        lambda: away.expire("t", SystemClock().now()),
    ):
        with pytest.raises(BusUnavailable, match="cannot be reached"):
            ask()
