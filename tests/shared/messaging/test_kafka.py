"""What only Kafka has: groups of several readers, foreign producers, missing topics, owner threads."""

from __future__ import annotations

import os
import threading
import time

import pytest
from kafka import KafkaProducer

from shared.messaging.kafka import KafkaBus
from shared.messaging.topics import create_topics
from shared.messaging.transport import BusUnavailable, OutgoingRecord, ReceivedRecord, RecordRefused, Withheld
from shared.testing.kafka import BrokerForTests
from tests.shared.messaging.buses import (
    BusUnderTest,
    DeclaredForTest,
    by_key,
    eventually,
    new_group,
    receive,
    record,
    values,
)

pytestmark = pytest.mark.kafka


def test_two_members_share_the_partitions_and_keep_the_order_of_each_key(kafka_bus: BusUnderTest) -> None:
    """Kafka only: a group of the Postgres log has one active reader, so there is nothing to divide."""
    topic, group = kafka_bus.topic(), new_group()
    keys = [f"k{number}" for number in range(20)]
    members = [kafka_bus.subscriber(group, topic) for _ in range(2)]
    received: list[list[ReceivedRecord]] = [[], []]
    published = 0

    def each_member_has_records() -> bool:
        nonlocal published
        kafka_bus.publish(*(record(topic, key, published) for key in keys))
        published += 1
        for member, into in zip(members, received, strict=True):
            into.extend(member.poll(0.1))
            member.commit()
        return all(received)

    eventually(each_member_has_records, "one member never got a partition")
    expected = {f"{key}-{number}" for key in keys for number in range(published)}

    def nothing_is_missing() -> bool:
        for member, into in zip(members, received, strict=True):
            into.extend(member.poll(0.1))
        return {value for into in received for value in values(into)} == expected

    eventually(nothing_is_missing, "records were lost in the rebalance")
    for into in received:
        for key, got in by_key(into).items():
            first_occurrences = list(dict.fromkeys(got))
            assert first_occurrences == sorted(
                first_occurrences, key=lambda value: int(value.split("-")[1])
            ), key


def test_a_record_of_a_foreign_producer_arrives_without_key_or_value(kafka_bus: BusUnderTest) -> None:
    """Kafka only: nobody else can write to the Postgres log."""
    topic = kafka_bus.topic()
    producer = KafkaProducer(bootstrap_servers=kafka_bus.address)
    try:
        producer.send(topic, value=b"no key", headers=[("odd", b"\xff\xfe")]).get(timeout=10)
        producer.send(topic, key=b"\xff", value=None).get(timeout=10)
    finally:
        producer.close(timeout=5)
    received = receive(kafka_bus.subscriber(new_group(), topic), 2)
    assert {(each.key, each.value) for each in received} == {("", b"no key"), ("\\xff", b"")}
    assert {str(dict(each.headers)) for each in received} == {str({"odd": "\\xff\\xfe"}), "{}"}


def test_a_missing_topic_holds_back_its_own_records_alone(kafka_bus: BusUnderTest) -> None:
    """Kafka only: the Postgres log has no topics to be missing."""
    topic, missing = kafka_bus.topic(), "crm.test.missing"
    publisher = kafka_bus.publisher()
    outcomes = publisher.publish(
        [record(missing, "a", 0), record(missing, "a", 1), record(missing, "b", 0), record(topic, "a", 0)]
    )
    assert [type(outcome) for outcome in outcomes] == [BusUnavailable, Withheld, BusUnavailable, type(None)]
    assert publisher.publish([record(topic, "a", 1)]) == [None]
    assert values(list(kafka_bus.transport.read(topic))) == ["a-0", "a-1"]


def test_when_no_record_could_be_sent_the_bus_is_unavailable(kafka_bus: BusUnderTest) -> None:
    with pytest.raises(BusUnavailable, match=r"crm\.test\.missing"):
        kafka_bus.publisher().publish([record("crm.test.missing", "a", 0)])


def test_a_topic_name_that_kafka_cannot_have_is_refused_for_good(kafka_bus: BusUnderTest) -> None:
    (outcome,) = kafka_bus.publisher().publish([record("no such name!", "a", 0)])
    assert isinstance(outcome, RecordRefused)


def test_headers_that_make_a_record_too_large_are_refused(kafka_bus: BusUnderTest) -> None:
    (outcome,) = kafka_bus.publisher().publish(
        [OutgoingRecord(kafka_bus.topic(), "a", {"huge": "h" * 1_100_000}, b"small")]
    )
    assert isinstance(outcome, RecordRefused)


def test_a_second_thread_at_a_client_is_refused(kafka_bus: BusUnderTest) -> None:
    subscriber = kafka_bus.subscriber(new_group(), kafka_bus.topic())
    subscriber.poll(0.0)
    publisher = kafka_bus.publisher()
    publisher.publish([])
    refused: list[str] = []

    def use_both() -> None:
        for use in (
            lambda: subscriber.poll(0.0),
            subscriber.commit,
            subscriber.lag,
            lambda: publisher.publish([]),
        ):
            try:
                use()
            except RuntimeError as error:
                refused.append(str(error))

    thread = threading.Thread(target=use_both)
    thread.start()
    thread.join()
    assert refused == ["a Kafka client is used by a thread or process that does not own it"] * 4


def test_a_client_carried_into_another_process_is_refused(
    kafka_bus: BusUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = kafka_bus.subscriber(new_group(), kafka_bus.topic())
    subscriber.poll(0.0)
    with monkeypatch.context() as forked, pytest.raises(RuntimeError, match="does not own it"):
        forked.setattr(os, "getpid", lambda: 0)
        subscriber.poll(0.0)


def test_a_frozen_broker_may_take_a_record_twice_but_never_an_older_one_after_a_newer(
    own_kafka: BrokerForTests,
) -> None:
    """Kafka only: what a frozen server was sent may still be appended when it goes on."""
    bus, topic = KafkaBus(own_kafka.bootstrap), f"crm.test.{new_group()}"
    create_topics(own_kafka.bootstrap, [DeclaredForTest(topic)], "local")
    publisher = bus.publisher()
    batch = [record(topic, "k", number) for number in range(3)]
    assert publisher.publish([record(topic, "before", 0)]) == [None]
    own_kafka.freeze()
    try:
        outcomes = publisher.publish(batch)
    except BusUnavailable:
        outcomes = [BusUnavailable()] * 3
    finally:
        own_kafka.thaw()
    # The signal may come a moment late, after the first acknowledgement.
    again = [each for each, outcome in zip(batch, outcomes, strict=True) if outcome is not None]
    assert len(again) >= 1
    assert publisher.publish(again) == [None] * len(again)
    publisher.close()
    appended = values(list(bus.read(topic, key="k")))
    assert list(dict.fromkeys(appended)) == ["k-0", "k-1", "k-2"]


def test_a_subscriber_that_gets_nothing_though_records_wait_asks_to_be_replaced(
    kafka_bus: BusUnderTest,
) -> None:
    topic, group = kafka_bus.topic(), new_group()
    kafka_bus.publish(record(topic, "k", 0))
    stalling = KafkaBus(kafka_bus.address, stall_seconds=1.0).subscriber(group, [topic])
    consumer = stalling._consumer  # type: ignore[attr-defined]
    receive(stalling, 1)
    stalling.commit()
    consumer.pause(*consumer.assignment())
    kafka_bus.publish(record(topic, "k", 1))
    with pytest.raises(BusUnavailable, match=f"it waits for {topic}:[0-2]$"):
        receive(stalling, 1)
    stalling.close()
    assert values(receive(kafka_bus.subscriber(group, topic), 1)) == ["k-1"]


def test_a_subscriber_that_is_given_no_partitions_asks_to_be_replaced(kafka_bus: BusUnderTest) -> None:
    topic, group = kafka_bus.topic(), new_group()
    kafka_bus.publish(record(topic, "k", 0))
    silent = kafka_bus.subscriber(group, topic)
    receive(silent, 1)
    waiting = KafkaBus(kafka_bus.address, stall_seconds=1.0).subscriber(group, [topic])
    with pytest.raises(BusUnavailable, match=r"it waits for the group's assignment$"):
        receive(waiting, 1)
    waiting.close()


def test_a_quiet_topic_is_no_stall(kafka_bus: BusUnderTest) -> None:
    topic = kafka_bus.topic()
    subscriber = KafkaBus(kafka_bus.address, stall_seconds=0.2).subscriber(new_group(), [topic])
    kafka_bus.publish(record(topic, "k", 0))
    receive(subscriber, 1)
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        assert subscriber.poll(0.1) == []
    subscriber.close()
