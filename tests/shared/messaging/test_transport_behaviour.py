"""What the bus relies on, asked of both transports: the Postgres log and a real Kafka broker."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from shared.kernel.clock import SystemClock
from shared.messaging.transport import (
    MAX_VALUE_BYTES,
    BusUnavailable,
    OutgoingRecord,
    ReceivedRecord,
    RecordRefused,
    Subscriber,
    Withheld,
)
from tests.shared.messaging.buses import BusUnderTest, by_key, eventually, new_group, receive, record, values


def _numbered(key: str, count: int, start: int = 0) -> list[str]:
    return [f"{key}-{number}" for number in range(start, start + count)]


def test_records_of_one_key_arrive_in_the_order_they_were_published(bus: BusUnderTest) -> None:
    topic = bus.topic()
    publisher = bus.publisher()
    for start in (0, 10, 20):
        batch = [record(topic, key, number) for number in range(start, start + 10) for key in ("a", "b", "c")]
        assert publisher.publish(batch) == [None] * 30
    received = receive(bus.subscriber(new_group(), topic), 90)
    assert by_key(received) == {key: _numbered(key, 30) for key in ("a", "b", "c")}


def test_a_record_arrives_as_it_was_published(bus: BusUnderTest) -> None:
    topic = bus.topic()
    headers = {"ce_id": "1", "x-from-the-future": "Grüße €", "empty": ""}
    before = SystemClock().now()
    bus.publish(OutgoingRecord(topic, "schlüssel", headers, b'{"a": 1}'))
    (received,) = receive(bus.subscriber(new_group(), topic), 1)
    assert (received.topic, received.key, received.value) == (topic, "schlüssel", b'{"a": 1}')
    assert dict(received.headers) == headers
    assert received.timestamp.utcoffset() == timedelta(0)
    assert before - timedelta(milliseconds=1) <= received.timestamp <= SystemClock().now()


@pytest.mark.parametrize("poison", [b"\xff\x00\xfe no JSON", b""])
def test_bytes_that_are_no_event_arrive_as_they_are(bus: BusUnderTest, poison: bytes) -> None:
    topic = bus.topic()
    bus.publish(OutgoingRecord(topic, "k", {}, poison), record(topic, "k", 1))
    first, second = receive(bus.subscriber(new_group(), topic), 2)
    assert (first.value, dict(first.headers)) == (poison, {})
    assert second.value == b"k-1"


def test_a_new_group_starts_at_the_oldest_record_and_each_group_gets_every_record(bus: BusUnderTest) -> None:
    topic = bus.topic()
    bus.publish(*(record(topic, "k", number) for number in range(5)))
    one = bus.subscriber(new_group(), topic)
    assert values(receive(one, 5)) == _numbered("k", 5)
    one.commit()
    other = bus.subscriber(new_group(), topic)
    assert values(receive(other, 5)) == _numbered("k", 5)


def test_a_subscriber_gets_its_topics_and_no_other(bus: BusUnderTest) -> None:
    first, second, foreign = bus.topic(), bus.topic(), bus.topic()
    bus.publish(record(foreign, "k", 1), record(first, "k", 2), record(second, "k", 3))
    subscriber = bus.subscriber(new_group(), first, second)
    assert {(each.topic, each.value) for each in receive(subscriber, 2)} == {
        (first, b"k-2"),
        (second, b"k-3"),
    }
    assert subscriber.poll(0.2) == []


def test_a_record_published_while_a_subscriber_waits_arrives(bus: BusUnderTest) -> None:
    topic = bus.topic()
    subscriber = bus.subscriber(new_group(), topic)
    assert subscriber.poll(0.5) == []
    bus.publish(record(topic, "k", 1))
    assert values(receive(subscriber, 1)) == ["k-1"]


def test_what_was_committed_is_not_delivered_again_after_a_restart(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    bus.publish(*(record(topic, "k", number) for number in range(3)))
    subscriber = bus.transport.subscriber(group, [topic])
    receive(subscriber, 3)
    subscriber.commit()
    subscriber.close()
    bus.publish(record(topic, "k", 3))
    assert values(receive(bus.subscriber(group, topic), 1)) == ["k-3"]


def test_what_was_polled_without_a_commit_is_delivered_again_after_a_restart(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    bus.publish(*(record(topic, "k", number) for number in range(3)))
    subscriber = bus.transport.subscriber(group, [topic])
    receive(subscriber, 3)
    for _ in range(3):
        assert subscriber.poll(0.1) == []
    subscriber.close()
    assert values(receive(bus.subscriber(group, topic), 3)) == _numbered("k", 3)


def test_what_a_killed_member_had_not_committed_is_delivered_again(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    bus.publish(*(record(topic, "k", number) for number in range(3)))
    member = bus.member_process(group, topic, commit=3, then_poll=2)
    assert member.stdout is not None
    assert member.stdout.readline() == "committed\n"
    bus.publish(record(topic, "k", 3), record(topic, "k", 4))
    assert member.stdout.readline() == "polled\n"
    member.kill()
    assert values(receive(bus.subscriber(group, topic), 2)) == ["k-3", "k-4"]


def test_a_group_goes_on_when_one_of_two_members_leaves(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    keys = [f"k{number}" for number in range(12)]
    first = bus.transport.subscriber(group, [topic])
    bus.publish(*(record(topic, key, 0) for key in keys))
    receive(first, 12)
    first.commit()
    second = bus.subscriber(group, topic)
    bus.publish(*(record(topic, key, 1) for key in keys))
    received: list[ReceivedRecord] = []

    def both_have_polled_everything() -> bool:
        for member in (first, second):
            received.extend(member.poll(0.1))
            member.commit()
        return {each.value.decode() for each in received} >= {f"{key}-1" for key in keys}

    eventually(both_have_polled_everything, "the two members did not get everything")
    first.close()
    bus.publish(*(record(topic, key, 2) for key in keys))
    taken_over = receive(second, 12)
    assert sorted(values(taken_over)) == sorted(f"{key}-2" for key in keys)


def test_lag_counts_what_is_not_committed(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    bus.publish(*(record(topic, key, number) for number in range(2) for key in ("a", "b", "c")))
    subscriber = bus.subscriber(group, topic)
    receive(subscriber, 6)
    assert sum(subscriber.lag().values()) == 6
    assert {name for name, _ in subscriber.lag()} == {topic}
    subscriber.commit()
    assert sum(subscriber.lag().values()) == 0
    bus.publish(record(topic, "a", 2))
    assert sum(subscriber.lag().values()) == 1


def test_an_oversize_record_is_refused_alone_and_holds_back_its_key(bus: BusUnderTest) -> None:
    topic = bus.topic()
    outcomes = bus.publisher().publish(
        [
            record(topic, "a", 0),
            record(topic, "b", 0),
            OutgoingRecord(topic, "a", {"ce_id": "a-1"}, b"x" * (MAX_VALUE_BYTES + 1)),
            record(topic, "a", 2),
            record(topic, "b", 1),
        ]
    )
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        RecordRefused,
        Withheld,
        type(None),
    ]
    assert "900001 bytes" in str(outcomes[2])
    assert by_key(list(bus.transport.read(topic))) == {"a": ["a-0"], "b": ["b-0", "b-1"]}


def test_a_publisher_goes_on_after_a_refusal(bus: BusUnderTest) -> None:
    topic = bus.topic()
    publisher = bus.publisher()
    oversize = OutgoingRecord(topic, "a", {}, b"x" * (MAX_VALUE_BYTES + 1))
    assert isinstance(publisher.publish([oversize])[0], RecordRefused)
    assert publisher.publish([record(topic, "a", 1)]) == [None]


def test_the_largest_value_is_carried_whole(bus: BusUnderTest) -> None:
    topic = bus.topic()
    largest = bytes(range(256)) * (MAX_VALUE_BYTES // 256 + 1)
    bus.publish(OutgoingRecord(topic, "k", {"ce_id": "1", "x": "y" * 2_000}, largest[:MAX_VALUE_BYTES]))
    (received,) = receive(bus.subscriber(new_group(), topic), 1)
    assert received.value == largest[:MAX_VALUE_BYTES]


def test_a_slow_publisher_beside_a_quick_one_loses_nothing(bus: BusUnderTest) -> None:
    """Large batches take long to append; a reader that sees small ones pass must not miss them."""
    topic = bus.topic()
    failures: list[BaseException] = []

    def publish(key: str, batch: int, size: int, total: int) -> None:
        publisher = bus.transport.publisher()
        try:
            for start in range(0, total, batch):
                numbers = range(start, start + batch)
                records = [OutgoingRecord(topic, key, {"n": str(n)}, b"x" * size) for n in numbers]
                assert publisher.publish(records) == [None] * batch
        except BaseException as error:
            failures.append(error)
        finally:
            publisher.close()

    subscriber = bus.subscriber(new_group(), topic)
    threads = [
        threading.Thread(target=publish, args=("slow", 5, 100_000, 50)),
        threading.Thread(target=publish, args=("quick", 1, 10, 300)),
    ]
    for thread in threads:
        thread.start()
    received = receive(subscriber, 350)
    for thread in threads:
        thread.join()
    assert failures == []
    for key, total in (("slow", 50), ("quick", 300)):
        assert [int(each.headers["n"]) for each in received if each.key == key] == list(range(total))


def test_reading_a_topic_gives_all_of_it_and_touches_no_group(bus: BusUnderTest) -> None:
    topic, group = bus.topic(), new_group()
    bus.publish(*(record(topic, key, number) for number in range(50) for key in ("a", "b")))
    subscriber = bus.subscriber(group, topic)
    receive(subscriber, 100)
    for _ in range(2):
        assert by_key(list(bus.transport.read(topic))) == {"a": _numbered("a", 50), "b": _numbered("b", 50)}
    assert sum(subscriber.lag().values()) == 100


def test_reading_by_key_gives_that_key_alone(bus: BusUnderTest) -> None:
    topic = bus.topic()
    bus.publish(*(record(topic, f"k{number % 7}", number) for number in range(70)))
    assert values(list(bus.transport.read(topic, key="k3"))) == [f"k3-{number}" for number in range(3, 70, 7)]
    assert list(bus.transport.read(topic, key="nobody")) == []


def test_reading_from_a_time_gives_what_came_at_or_after_it(bus: BusUnderTest) -> None:
    topic = bus.topic()
    bus.publish(*(record(topic, key, 0) for key in ("a", "b")))
    latest = max(each.timestamp for each in bus.transport.read(topic))
    eventually(lambda: SystemClock().now() > latest + timedelta(milliseconds=5), "the clock stands still")
    bus.publish(*(record(topic, key, 1) for key in ("a", "b")))
    since = latest + timedelta(milliseconds=2)
    assert by_key(list(bus.transport.read(topic, since=since))) == {"a": ["a-1"], "b": ["b-1"]}
    assert values(list(bus.transport.read(topic, since=since, key="b"))) == ["b-1"]
    assert len(list(bus.transport.read(topic, since=latest - timedelta(days=1)))) == 4
    assert list(bus.transport.read(topic, since=latest + timedelta(days=1))) == []


def test_reading_ends_where_the_topic_ended_when_it_began(bus: BusUnderTest) -> None:
    """More than a reader takes at once, in number and in bytes: it asks again after the end moved."""
    topic = bus.topic()
    bus.publish(*(record(topic, "k", 0) for _ in range(2_100)))
    bus.publish(*(OutgoingRecord(topic, f"k{number}", {}, b"x" * 200_000) for number in range(30)))
    reader = bus.transport.read(topic)
    first = next(reader)
    bus.publish(*(record(topic, key, 1) for key in ("k", *(f"k{number}" for number in range(30)))))
    assert len([first, *reader]) == 2_130


def test_reading_an_empty_topic_gives_nothing(bus: BusUnderTest) -> None:
    assert list(bus.transport.read(bus.topic())) == []


def test_after_an_outage_what_was_committed_stays_and_what_was_not_sent_can_be_sent(
    breakable_bus: BusUnderTest,
) -> None:
    bus = breakable_bus
    topic, group = bus.topic(), new_group()
    publisher = bus.publisher()
    assert publisher.publish([record(topic, "k", 0)]) == [None]
    subscriber = bus.subscriber(group, topic)
    receive(subscriber, 1)
    subscriber.commit()
    bus.cut()
    with pytest.raises(BusUnavailable):
        publisher.publish([record(topic, "k", 1)])
    bus.heal()
    bus.publish(record(topic, "k", 1), record(topic, "k", 2))
    received: list[ReceivedRecord] = []
    current: list[Subscriber] = [subscriber]

    def polled_like_the_ingest_does() -> bool:
        try:
            received.extend(current[-1].poll(0.2))
        except BusUnavailable:
            current.append(bus.subscriber(group, topic))
        return len(received) >= 2

    eventually(polled_like_the_ingest_does, "nothing came after the outage")
    assert values(received) == ["k-1", "k-2"]


def test_a_bus_that_cannot_be_reached_is_unavailable_to_every_client(breakable_bus: BusUnderTest) -> None:
    nowhere = {"kafka": "127.0.0.1:1", "postgres": "postgresql://crm@127.0.0.1:1/bus"}[breakable_bus.kind]
    transport = type(breakable_bus.transport)(nowhere)  # type: ignore[call-arg]
    with pytest.raises(BusUnavailable):
        transport.publisher()
    with pytest.raises(BusUnavailable):
        transport.subscriber(new_group(), ["crm.test"])
    with pytest.raises(BusUnavailable):
        list(transport.read("crm.test"))


def test_thousands_of_records_over_many_keys_all_arrive_in_order(bus: BusUnderTest) -> None:
    topic = bus.topic()
    publisher = bus.publisher()
    keys = [f"k{number}" for number in range(100)]
    for start in range(0, 30, 5):
        batch = [record(topic, key, number) for number in range(start, start + 5) for key in keys]
        assert publisher.publish(batch) == [None] * 500
    received = receive(bus.subscriber(new_group(), topic), 3_000)
    assert by_key(received) == {key: _numbered(key, 30) for key in keys}
