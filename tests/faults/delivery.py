"""Faults 17 to 23: facts that come again, late, slowly or broken, and consumers that come and go."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping

from kafka import KafkaProducer
from sqlalchemy import func, select

from shared.db.plumbing import INBOX
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.kafka_login import connect
from shared.messaging.transport import OutgoingRecord
from tests.faults.registry import fault
from tests.faults.world import World
from tests.shared.ledger import LINKED, MORNING, TOPIC


@fault(17, "whole-topic-replayed", "the whole topic is read again, three times")
def _whole_topic_replayed(world: World) -> None:
    reader = world.find("sales", "bus")
    with world.load():
        world.wait_heard(50)
        for _ in range(3):
            world.hold(reader)
            world.rewind()
            world.revive(reader)
            world.wait_heard(20)
    world.healed()


@fault(18, "stale-and-shuffled", "every record is sent again by somebody else, in another order")
def _stale_and_shuffled(world: World) -> None:
    with world.load():
        world.wait_heard(50)
        records = [
            OutgoingRecord(TOPIC, each.key, each.headers, each.value) for each in world.bus.read(TOPIC)
        ]
        random.Random(world.seed).shuffle(records)
        publisher = world.bus.publisher()
        outcomes = publisher.publish(records)
        publisher.close()
        world.wait_heard(20)
    world.expect(outcomes == [None] * len(records), "the records were not taken")
    world.healed()
    world.expect(world.verdict().repeats >= len(records), "nothing was sent twice, so the fault was none")


@fault(19, "slow-handler", "a handler needs half a minute for one fact", readers=2)
def _slow_handler(world: World) -> None:
    seconds = 30.0 if world.long else 12.0
    with world.load():
        world.wait_heard(20)
        starts = [member.starts for member in world.members]
        slow = world.purses[0]
        world.trouble(slow, seconds=seconds)
        # What was in a handler's hands already is done in a moment.
        time.sleep(2)
        before = world.records.effects_of(slow)
        world.eventually(lambda: world.records.inbox_of(slow), "the slow purse has no new fact")
        # Another process takes what is not in the hands of the slow one.
        world.wait_heard(20, seconds + 60)
        world.expect(world.records.effects_of(slow) == before, "the handler was not slow")
        world.eventually(
            lambda: world.records.effects_of(slow) > before, "the slow fact was never done", seconds + 60
        )
        world.trouble(slow)
        world.expect([member.starts for member in world.members] == starts, "a process was ended for it")
    world.healed()


@fault(20, "rebalance-storm", "a member joins or leaves the group every three seconds")
def _rebalance_storm(world: World) -> None:
    chance = random.Random(world.seed)
    ends_at = time.monotonic() + (60 if world.long else 10)
    with world.load():
        world.wait_heard(20)
        while time.monotonic() < ends_at:
            guest = world.launch("sales", "bus")
            time.sleep(3)
            world.dismiss(guest)
            if chance.random() < 0.5:
                guest.kill()
            else:
                guest.send(signal.SIGTERM)
            time.sleep(3)
    world.healed()


@fault(21, "zombie-consumer", "a consumer sleeps longer than its session lasts, and wakes up", readers=2)
def _zombie_consumer(world: World) -> None:
    with world.load():
        world.wait_heard(20)
        for member in [each for each in world.members if each.service == "sales"]:
            member.send(signal.SIGSTOP)
            if world.transport == "kafka":
                # The other one takes over when the session of ten seconds is over.
                time.sleep(11)
                world.wait_heard(5)
            else:
                time.sleep(5)
            member.send(signal.SIGCONT)
            world.wait_heard(5)
    world.healed()


_ODD = "crm.erp.customer.teleported.v1"
_UNKNOWN = 1


def stranger(key: str, event_type: str = _ODD) -> dict[str, str]:
    """Headers of a fact from nobody that the ledger knows, by default of a type without a handler."""
    return to_headers(
        event_id=new_id(),
        source="/crm/stranger",
        event_type=event_type,
        subject=key,
        time=MORNING,
        dataschema="unknown",
        key=key,
        version=1,
        correlation_id=new_id(),
        causation_id=None,
        actor_id="user:nobody",
        data_class="none",
        traceparent=None,
    )


def _poison(key: str) -> list[tuple[Mapping[str, str], bytes | None]]:
    """Records that are no event, and last one of a type that nobody knows; all under the key of a good purse."""
    nameless = stranger(key, LINKED)
    del nameless["ce_id"]
    return [
        (stranger(key, LINKED), b'{"erp_customer_id": '),
        (nameless, b"{}"),
        ({}, b"\x00\xff" * 450_000 + b"!"),
        (stranger(key, LINKED), b"[]"),
        (stranger(key, LINKED), None),
        (stranger(key), b"{}"),
    ]


@fault(
    22,
    "poison",
    "bytes that are no event: broken JSON, no id, 900,001 bytes, a list, nothing, an unknown type",
)
def _poison_records(world: World) -> None:
    with world.load():
        world.wait_heard(20)
        records = _poison(world.purses[0])
        if world.transport == "postgres":
            # The embedded log knows no record without a value, and refuses what is too long.
            records = [(headers, value) for headers, value in records if value and len(value) <= 900_000]
            publisher = world.bus.publisher()
            publisher.publish([OutgoingRecord(TOPIC, world.purses[0], h, v or b"") for h, v in records])
            publisher.close()
        else:
            producer = connect(KafkaProducer, world.lab.broker.bootstrap)
            for headers, value in records:
                raw = [(name, text.encode()) for name, text in headers.items()]
                producer.send(TOPIC, key=world.purses[0].encode(), value=value, headers=raw).get(20)
            producer.close(timeout=5)
        world.wait_heard(50)
    world.healed()
    world.verdict()
    with world.reader.database.session() as session:
        states = select(INBOX.c.state, func.count()).where(INBOX.c.state != "done").group_by(INBOX.c.state)
        kept = {row.state: row.count for row in session.execute(states)}
    expected = {"dead": len(records) - _UNKNOWN, "skipped": _UNKNOWN}
    world.expect(kept == expected, f"kept were {kept}, expected {expected}")


@fault(23, "one-key-fails", "a handler fails for one purse until it is corrected")
def _one_key_fails(world: World) -> None:
    with world.load():
        world.wait_heard(20)
        broken = world.purses[0]
        world.trouble(broken, fails=True)
        world.eventually(lambda: broken in world.records.blocked(), "the handler never failed")
        before = world.records.effects_of(broken)
        world.wait_heard(100 if world.long else 50)
        world.expect(world.records.effects_of(broken) == before, "the handler did not fail")
        world.expect(
            world.records.blocked() <= {broken}, f"blocked are also {world.records.blocked() - {broken}}"
        )
        world.trouble(broken)
        world.healed()
