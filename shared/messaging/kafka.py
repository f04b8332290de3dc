"""Apache Kafka as a transport.

Clients own threads, which do not survive a fork, and kafka-python does not notice two threads at one client:
both are refused here. Every blocking call has a timeout, because several defaults wait without bound.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    CommitFailedError,
    InvalidRecordError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RebalanceInProgressError,
    RecordListTooLargeError,
)
from kafka.partitioner import murmur2
from kafka.structs import MemberState, OffsetAndMetadata

from shared.crash_points import passing
from shared.messaging.kafka_login import BOOTSTRAP_MS, NO_LOGIN, REQUEST_MS, KafkaLogin, connect
from shared.messaging.transport import (
    BusUnavailable,
    OutgoingRecord,
    Publisher,
    ReceivedRecord,
    RecordRefused,
    Subscriber,
    Withheld,
    refuse_oversize,
)

__all__ = ["KafkaBus"]

log = logging.getLogger(__name__)

BATCH = 1_000
STALL_SECONDS = 60.0

_DELIVERY_SECONDS = 8.0  # less than a process is given to stop
_CLOSE_SECONDS = 3.0
_CHECK_SECONDS = 5.0
_CLIENT = {
    # A topic that is made after its subscribers is found within this time (by default after five minutes).
    "metadata_max_age_ms": 30_000,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}
_CONSUMER = _CLIENT | {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "max_poll_records": BATCH,
    "max_partition_fetch_bytes": 1_048_576,
}
_ASSIGNMENT = "the group's assignment"  # awaited like a record until the group is joined
_REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    InvalidTopicError,
    ValueError,
)


class KafkaBus:
    """The cluster at `bootstrap` ("host:port", several separated by commas) as a transport.

    A subscriber that gets nothing from a partition for `stall_seconds`, though records wait in it, reports
    the bus as unavailable, so that its owner makes a new one.
    """

    def __init__(
        self, bootstrap: str, *, login: KafkaLogin = NO_LOGIN, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self._bootstrap = bootstrap
        self._login = login
        self._stall_seconds = stall_seconds

    def publisher(self) -> Publisher:
        return _KafkaPublisher(self._producer)

    def subscriber(self, group: str, topics: Sequence[str]) -> Subscriber:
        consumer = self._consumer(
            group_id=group,
            client_id=group,
            # Eager: a rebalance stops all members for about a heartbeat. The cooperative assignor would not,
            # but with kafka-python 3.0.12 a member then often stops reading what it keeps (6 of 8 trials).
            partition_assignment_strategy=[RangePartitionAssignor],
            heartbeat_interval_ms=1_000,
            # A killed member's partitions wait this long for another owner.
            session_timeout_ms=10_000,
        )
        try:
            consumer.subscribe(list(topics))
            # Join with the topics known. Found later, they make the member join once more, and kafka-python 3.0.12
            # never ends such a second join when a poll runs out of time in the middle of it.
            consumer.bootstrap(timeout_ms=BOOTSTRAP_MS, refresh=True)
        except KafkaError as error:
            _close(consumer)
            raise BusUnavailable(f"Kafka did not tell its topics: {error}") from error
        return _KafkaSubscriber(consumer, self._stall_seconds)

    def read(
        self, topic: str, *, since: datetime | None = None, key: str | None = None
    ) -> Iterator[ReceivedRecord]:
        consumer = self._consumer(group_id=None, client_id="crm-reader")
        try:
            yield from _read_to_the_end(consumer, topic, since, key)
        except KafkaError as error:
            raise BusUnavailable(f"Kafka could not be read: {error}") from error
        finally:
            _close(consumer)

    def _producer(self) -> Any:
        producer = connect(
            KafkaProducer,
            self._bootstrap,
            self._login,
            **_CLIENT,
            client_id="crm-relay",
            acks="all",
            # Left to its default this is switched off in silence when another setting contradicts it.
            enable_idempotence=True,
            delivery_timeout_ms=int(_DELIVERY_SECONDS * 1000),
            # Too short a wait for a topic's metadata would, on a busy machine, fail each new producer once more.
            max_block_ms=REQUEST_MS,
            batch_size=65_536,
        )
        if not producer.config["enable_idempotence"]:
            producer.close(timeout=0)
            raise RuntimeError("the Kafka producer is not idempotent: its settings contradict each other")
        return producer

    def _consumer(self, **settings: Any) -> Any:
        return connect(KafkaConsumer, self._bootstrap, self._login, **_CONSUMER, **settings)


def _close(consumer: Any) -> None:
    consumer.close(autocommit=False, timeout_ms=int(_CLOSE_SECONDS * 1000))


class _Owner:
    """The one thread of the one process that may use a client: the first that does."""

    def __init__(self) -> None:
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises RuntimeError in any other thread or process."""
        identity = (os.getpid(), threading.get_ident())
        if self._identity is None:
            self._identity = identity
        if self._identity != identity:
            raise RuntimeError("a Kafka client is used by a thread or process that does not own it")


class _KafkaPublisher:
    """Sends in waves: of each key at most one record is on its way, so an earlier one can never be overtaken.

    After a failure nothing is known about what the producer still holds, so it is replaced. What it may yet
    deliver is a duplicate of what is sent again, never the first of an older record after a newer: the newer
    is sent only when the older is acknowledged.
    """

    def __init__(self, make_producer: Callable[[], Any]) -> None:
        self._make_producer = make_producer
        self._producer: Any = make_producer()
        self._owner = _Owner()

    def publish(self, records: Sequence[OutgoingRecord]) -> list[Exception | None]:
        self._owner.check()
        if self._producer is None:
            self._producer = self._make_producer()
        outcomes: list[Exception | None] = [None] * len(records)
        waiting: dict[tuple[str, str], deque[int]] = {}
        for index, record in enumerate(records):
            waiting.setdefault((record.topic, record.key), deque()).append(index)
        while waiting:
            wave = {key: indexes.popleft() for key, indexes in waiting.items()}
            sent = self._send({index: records[index] for index in wave.values()})
            for key, index in wave.items():
                outcomes[index] = sent[index]
                if sent[index] is not None:
                    for later in waiting[key]:
                        outcomes[later] = Withheld("an earlier record of this key was not sent")
                    waiting[key].clear()
                if not waiting[key]:
                    del waiting[key]
        self._replace_after_failure(outcomes)
        return outcomes

    def _send(self, wave: Mapping[int, OutgoingRecord]) -> dict[int, Exception | None]:
        """Send records of different keys and wait for what becomes of each."""
        outcomes: dict[int, Exception | None] = {}
        futures: dict[int, Any] = {}
        unknown_topics: set[str] = set()
        for index, record in wave.items():
            if record.topic in unknown_topics:
                outcomes[index] = BusUnavailable(f"nothing is known about the topic {record.topic}")
            elif (refusal := refuse_oversize(record)) is not None:
                outcomes[index] = refusal
            else:
                try:
                    futures[index] = self._producer.send(
                        record.topic,
                        key=record.key.encode(),
                        value=record.value,
                        headers=[(name, value.encode()) for name, value in record.headers.items()],
                    )
                except KafkaTimeoutError as error:
                    # Each further record of the topic would wait for its metadata once more.
                    unknown_topics.add(record.topic)
                    outcomes[index] = BusUnavailable(
                        f"nothing is known about the topic {record.topic}: {error}"
                    )
                except (KafkaError, ValueError) as error:
                    outcomes[index] = _outcome(error)
        passing("R1")
        deadline = time.monotonic() + _DELIVERY_SECONDS + _CLOSE_SECONDS
        for index, future in futures.items():
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
                outcomes[index] = None
            except KafkaError as error:
                outcomes[index] = _outcome(error)
        return outcomes

    def _replace_after_failure(self, outcomes: Sequence[Exception | None]) -> None:
        failures = [outcome for outcome in outcomes if isinstance(outcome, BusUnavailable)]
        if not failures:
            return
        self._discard(0)
        if all(outcome is not None for outcome in outcomes):
            raise failures[0]

    def _discard(self, timeout: float) -> None:
        producer, self._producer = self._producer, None
        try:
            producer.close(timeout=timeout)
        except KafkaError as error:
            log.info("a Kafka producer was closed with records in it: %s", error)

    def close(self) -> None:
        if self._producer is not None:
            self._discard(_CLOSE_SECONDS)


def _outcome(error: Exception) -> Exception:
    if isinstance(error, _REFUSALS):
        return RecordRefused(str(error))
    return BusUnavailable(f"Kafka did not acknowledge: {error}")


class _KafkaSubscriber:
    """A member of a consumer group.

    What was polled and what was stored are kept apart, so a commit that a rebalance made impossible can be
    made up for once the partitions are settled. There is no rebalance listener: it would run on the client's
    own thread, where a commit raises, and all it could save is a few duplicates for the next owner.
    """

    def __init__(self, consumer: Any, stall_seconds: float) -> None:
        self._consumer = consumer
        self._owner = _Owner()
        self._polled: dict[Any, Any] = {}
        self._stored: dict[Any, Any] = {}
        self._committed: dict[Any, int] = {}
        self._watch = _StallWatch(stall_seconds)

    def poll(self, timeout: float) -> list[ReceivedRecord]:
        self._owner.check()
        try:
            if self._watch.is_due(time.monotonic()):
                self._check_progress()
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000))
        except KafkaError as error:
            raise BusUnavailable(f"Kafka could not be polled: {error}") from error
        self._forget_lost_partitions()
        for partition, records in batches.items():
            last = records[-1]
            self._committed.setdefault(partition, records[0].offset)
            self._polled[partition] = OffsetAndMetadata(last.offset + 1, "", last.leader_epoch)
        if self._stored:
            self._commit_stored()
        received = [_received(record) for record in _flatten(batches)]
        self._watch.polled(full=len(received) == BATCH, now=time.monotonic())
        return received

    def commit(self) -> None:
        self._owner.check()
        self._stored |= self._polled
        self._polled = {}
        self._forget_lost_partitions()
        if self._stored:
            self._commit_stored()

    def _commit_stored(self) -> None:
        try:
            self._consumer.commit(self._stored, timeout_ms=REQUEST_MS)
        except (CommitFailedError, RebalanceInProgressError) as error:
            log.info("offsets could not be committed, the group is being rebalanced: %s", error)
            return
        except KafkaError as error:
            raise BusUnavailable(f"Kafka did not take the offsets: {error}") from error
        self._committed |= {partition: position.offset for partition, position in self._stored.items()}
        self._stored = {}

    def _forget_lost_partitions(self) -> None:
        """A partition that moved away is its new owner's to commit; should it come back, it starts anew."""
        held = self._consumer.assignment()
        for kept in (self._polled, self._stored, self._committed):
            for partition in kept.keys() - held:
                del kept[partition]

    def lag(self) -> dict[tuple[str, int], int]:
        self._owner.check()
        waiting: dict[tuple[str, int], int] = {}
        try:
            for partition, end in self._ends().items():
                start = self._committed.get(partition)
                if start is None:
                    start = self._consumer.position(partition, timeout_ms=REQUEST_MS) or 0
                waiting[partition.topic, partition.partition] = max(0, end - start)
        except KafkaError as error:
            raise BusUnavailable(f"Kafka did not tell the lag: {error}") from error
        return waiting

    def _ends(self) -> dict[Any, int]:
        held = self._consumer.assignment()
        ends: dict[Any, int] = self._consumer.end_offsets(held, timeout_ms=REQUEST_MS) if held else {}
        return ends

    def _check_progress(self) -> None:
        """Raises BusUnavailable when a partition has records that do not come or the group gives none, and
        KafkaError when no broker answers: a new consumer looks for the brokers afresh, an old one never does."""
        positions = {
            f"{partition.topic}:{partition.partition}": (
                self._consumer.position(partition, timeout_ms=REQUEST_MS) or 0,
                end,
            )
            for partition, end in self._ends().items()
        }
        if self._consumer.group_metadata().state != MemberState.STABLE:
            positions[_ASSIGNMENT] = (0, 1)
        stalled = self._watch.stalled(positions, time.monotonic())
        if stalled:
            log.error("a Kafka consumer got stuck and is replaced", extra={"missing": stalled})
            raise BusUnavailable(f"the Kafka consumer is stuck, it waits for {', '.join(stalled)}")

    def close(self) -> None:
        self._owner.check()
        _close(self._consumer)


class _StallWatch:
    """Tells which partitions have records waiting and have not moved for `seconds`.

    Only time in which the consumer could have delivered counts: not while its owner stores, and not while
    full batches come, since other partitions may have their turn. Times are monotonic seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = min(_CHECK_SECONDS, seconds / 4)
        self._checked_at = time.monotonic()
        self._polled_at = self._checked_at
        self._still: dict[str, tuple[int, float]] = {}

    def is_due(self, now: float) -> bool:
        """It is time to look at the positions."""
        if now - self._polled_at > _CHECK_SECONDS:
            self._still.clear()
        return now - self._checked_at >= self._interval

    def polled(self, *, full: bool, now: float) -> None:
        """A poll ended."""
        self._polled_at = now
        if full:
            self._still.clear()

    def stalled(self, positions: Mapping[str, tuple[int, int]], now: float) -> list[str]:
        """The partitions that stand still. `positions`: next offset to deliver and end offset of each."""
        self._checked_at = now
        before, self._still = self._still, {}
        for partition, (position, end) in positions.items():
            if position < end:
                was_at, since = before.get(partition, (position, now))
                self._still[partition] = (position, since if was_at == position else now)
        return [partition for partition, (_, since) in self._still.items() if now - since >= self._seconds]


def _read_to_the_end(
    consumer: Any, topic: str, since: datetime | None, key: str | None
) -> Iterator[ReceivedRecord]:
    """The records that are in `topic` when the first is asked for."""
    # The broker keeps milliseconds; a record of the same millisecond is rather read once too often.
    since_ms = int(since.timestamp() * 1000) if since is not None else None
    numbers = sorted(consumer.partitions_for_topic(topic))
    if key is not None and numbers:
        numbers = [numbers[(murmur2(key.encode()) & 0x7FFFFFFF) % len(numbers)]]
    partitions = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(partitions)
    ends = _seek(consumer, partitions, since_ms)
    moved_at = time.monotonic()
    while ends:
        batches = consumer.poll(timeout_ms=500)
        for record in _flatten(batches):
            if record.offset < ends[TopicPartition(topic, record.partition)]:
                received = _received(record)
                if key is None or received.key == key:
                    yield received
        if batches:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _DELIVERY_SECONDS:
            raise BusUnavailable(f"Kafka stopped answering while {topic} was read")
        for partition in [each for each, end in ends.items() if consumer.position(each, REQUEST_MS) >= end]:
            consumer.pause(partition)
            del ends[partition]


def _seek(consumer: Any, partitions: Sequence[Any], since_ms: int | None) -> dict[Any, int]:
    """Go to the first record, or the first from `since_ms` on; the end offsets where there is one."""
    if not partitions:
        return {}
    starts: dict[Any, int | None] = consumer.beginning_offsets(partitions, timeout_ms=REQUEST_MS)
    if since_ms is not None:
        found = consumer.offsets_for_times(dict.fromkeys(partitions, since_ms), timeout_ms=REQUEST_MS)
        starts = {partition: at.offset if at is not None else None for partition, at in found.items()}
    ends: dict[Any, int] = consumer.end_offsets(partitions, timeout_ms=REQUEST_MS)
    for partition, start in starts.items():
        if start is None or start >= ends[partition]:
            del ends[partition]
            consumer.pause(partition)
        else:
            consumer.seek(partition, start)
    return ends


def _flatten(batches: Mapping[Any, Sequence[Any]]) -> Iterable[Any]:
    return (record for records in batches.values() for record in records)


def _received(record: Any) -> ReceivedRecord:
    return ReceivedRecord(
        record.topic,
        record.partition,
        record.offset,
        _text(record.key),
        {name: _text(value) for name, value in record.headers},
        record.value if record.value is not None else b"",
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


def _text(raw: bytes | None) -> str:
    return raw.decode(errors="backslashreplace") if raw is not None else ""
