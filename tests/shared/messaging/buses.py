"""A bus under test: one handle for both transports, so that one suite can ask the same of each."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.messaging.topics import create_topics
from shared.messaging.transport import (
    OutgoingRecord,
    Publisher,
    ReceivedRecord,
    Subscriber,
    Transport,
)

PATIENCE = 40.0
"""Seconds until a test gives up waiting: longer than a killed Kafka member's session of 10 s."""

_MEMBER = Path(__file__).with_name("polling_member.py")
_numbers = itertools.count()


@dataclass(frozen=True)
class DeclaredForTest:
    """The declaration of a topic of one test."""

    name: str
    partitions: dict[str, int] = field(default_factory=lambda: {"production": 12, "development": 3})
    retention_days: int = 14


@dataclass
class BusUnderTest:
    """A transport with topics of its own. `cut` breaks what is connected, `heal` lets it connect again."""

    kind: str
    address: str
    transport: Transport
    cut: Callable[[], None]
    heal: Callable[[], None]
    cleanup: ExitStack

    def topic(self) -> str:
        """A new, empty topic."""
        name = f"crm.test.{uuid.uuid4().hex}"
        if self.kind == "kafka":
            create_topics(self.address, [DeclaredForTest(name)], "local")
        return name

    def publisher(self) -> Publisher:
        publisher = self.transport.publisher()
        self.cleanup.callback(publisher.close)
        return publisher

    def publish(self, *records: OutgoingRecord) -> None:
        """Append the records with a publisher of their own; each must be taken."""
        publisher = self.transport.publisher()
        try:
            assert publisher.publish(records) == [None] * len(records)
        finally:
            publisher.close()

    def subscriber(self, group: str, *topics: str) -> Subscriber:
        subscriber = self.transport.subscriber(group, topics)
        self.cleanup.callback(subscriber.close)
        return subscriber

    def member_process(self, group: str, topic: str, *, commit: int, then_poll: int) -> subprocess.Popen[str]:
        """A member in another process: it polls `commit` records and commits them, says `committed`, polls
        `then_poll` more, says `polled` and hangs until it is killed."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(_MEMBER),
                self.kind,
                self.address,
                group,
                topic,
                str(commit),
                str(then_poll),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
        self.cleanup.callback(_end, process)
        return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def record(topic: str, key: str, number: int, **headers: str) -> OutgoingRecord:
    """A record whose value tells its key and number."""
    return OutgoingRecord(topic, key, {"ce_id": f"{key}-{number}", **headers}, f"{key}-{number}".encode())


def new_group() -> str:
    """A group name that nobody used before."""
    return f"crm.test-{os.getpid()}-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


def receive(
    subscriber: Subscriber, count: int, into: list[ReceivedRecord] | None = None
) -> list[ReceivedRecord]:
    """Poll, without a commit, until `count` records have come; fails when they do not come in time."""
    received = into if into is not None else []
    deadline = time.monotonic() + PATIENCE
    while len(received) < count:
        assert time.monotonic() < deadline, f"only {len(received)} of {count} records came"
        received += subscriber.poll(0.2)
    return received


def values(records: Sequence[ReceivedRecord]) -> list[str]:
    return [each.value.decode() for each in records]


def by_key(records: Sequence[ReceivedRecord]) -> dict[str, list[str]]:
    """The values of each key in the order they came."""
    kept: dict[str, list[str]] = {}
    for each in records:
        kept.setdefault(each.key, []).append(each.value.decode())
    return kept


def eventually(condition: Callable[[], Any], says: str) -> Any:
    """The first truthy result of `condition`; fails with `says` when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"{says}; meanwhile:\n{_where_threads_stand()}")


def _where_threads_stand() -> str:
    """The name and stack of every thread, without which one cannot tell who waits for whom."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(ident)}\n{''.join(traceback.format_stack(frame)[-6:])}"
        for ident, frame in sys._current_frames().items()
    )
