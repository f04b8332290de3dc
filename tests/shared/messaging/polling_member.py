"""A member of a consumer group in a process of its own, to be killed: see `BusUnderTest.member_process`."""

from __future__ import annotations

import sys

from shared.messaging.kafka import KafkaBus
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import Subscriber


def _poll(subscriber: Subscriber, count: int) -> None:
    received = 0
    while received < count:
        received += len(subscriber.poll(0.2))


def main() -> None:
    kind, address, group, topic, committed, polled = sys.argv[1:]
    transport = {"kafka": KafkaBus, "postgres": PostgresBus}[kind](address)
    subscriber = transport.subscriber(group, [topic])
    _poll(subscriber, int(committed))
    subscriber.commit()
    sys.stdout.write("committed\n")
    sys.stdout.flush()
    _poll(subscriber, int(polled))
    sys.stdout.write("polled\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
