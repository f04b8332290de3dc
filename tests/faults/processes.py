"""Faults 26 to 30: processes with a wrong clock, too little of everything, or of another version."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil

from shared.messaging.transport import OutgoingRecord
from tests.faults.delivery import stranger
from tests.faults.machine import shifted_clock
from tests.faults.registry import fault
from tests.faults.trees import newer
from tests.faults.world import Member, World
from tests.shared.ledger import TOPIC


@fault(26, "wrong-clock", "the writing service's bus is an hour ahead, the reading one's an hour behind")
def _wrong_clock(world: World) -> None:
    ahead, behind = shifted_clock("+1h"), shifted_clock("-1h")
    with world.load():
        world.wait_heard(20)
        for service, shift in (("erp", ahead), ("sales", behind)):
            member = world.find(service, "bus")
            world.hold(member)
            with member.log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.ledger", service, "bus"],
                    cwd=world.tree,
                    env=dict(member.environment) | shift,
                    stdout=log,
                    stderr=log,
                )
            member.process = psutil.Process(process.pid)
        broken = world.purses[0]
        world.trouble(broken, fails=True)
        world.eventually(lambda: broken in world.records.blocked(), "the handler never failed")
        before = world.records.effects_of(broken)
        world.wait_heard(100)
        world.trouble(broken)
        world.eventually(
            lambda: world.records.effects_of(broken) > before, "with a wrong clock nothing is tried again"
        )
        world.healed()


@fault(27, "rolling-restart", "every process is replaced while the others work")
def _rolling_restart(world: World) -> None:
    ends_at = time.monotonic() + (60 if world.long else 0)
    with world.load():
        world.wait_heard(20)
        before = (world.refused(), world.unanswered())
        while True:
            for member in list(world.members):
                _replace(world, member)
            if time.monotonic() >= ends_at:
                break
        world.expect((world.refused(), world.unanswered()) == before, "a request failed in a polite restart")
    world.healed()
    world.expect(world.verdict().repeats == 0, "a polite end let facts be sent twice")


def _replace(world: World, member: Member, tree: Path | None = None) -> None:
    """Start the successor (from the code in `tree`), wait until it is ready, send writers there, end the old one."""
    successor = world.launch(member.service, member.role, tree)
    world.wait_ready(successor)
    if member is world.door:
        world.door = successor
    world.hold(member)
    world.dismiss(member)


@fault(
    28,
    "little-memory",
    "the reader may have 160 MB more than it has, and a hundred facts of 890 kB come",
    ("kafka",),
)
def _little_memory(world: World) -> None:
    reader = world.find("sales", "bus")
    with world.load():
        world.wait_heard(20)
        limit = reader.process.memory_info().vms + 160 * 2**20
        resource.prlimit(reader.process.pid, resource.RLIMIT_AS, (limit, limit))
        publisher = world.bus.publisher()
        for _ in range(100):
            publisher.publish([OutgoingRecord(TOPIC, "large", stranger("large"), b" " * 890_000 + b"{}")])
        publisher.close()
        world.wait_heard(20)
    world.healed()
    world.verdict()
    world.expect(reader.starts == 1, f"the reader was started {reader.starts} times")


@fault(29, "no-descriptors", "the web process may open no file more for a while")
def _no_descriptors(world: World) -> None:
    web = world.find("erp", "web")
    family = [web.process, *web.process.children(recursive=True)]
    with world.load(http=8):
        world.wait_heard(20)
        for process in family:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.num_fds() // 2, 4096))
        world.cut_sessions(world.writer_url)
        time.sleep(20 if world.long else 3)
        for process in family:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (1024, 4096))
        world.wait_answered(20)
        world.healed()


def _two_versions(world: World, *new: str) -> None:
    """Run the bus and web processes of the services named from the next version's code."""
    tree = newer(world.folder / "newer")
    with world.load():
        world.wait_heard(20)
        for member in [each for each in world.members if each.service in new]:
            _replace(world, member, tree)
            world.wait_heard(20)
        world.wait_heard(50)
    world.healed()
    world.verdict()
    world.expect(not world.records.dead_letters(), "the two versions do not understand each other")


@fault(30, "newer-producer", "the producer is one version ahead of the consumer")
def _newer_producer(world: World) -> None:
    _two_versions(world, "erp")


@fault(30, "newer-consumer", "the consumer is one version ahead of the producer")
def _newer_consumer(world: World) -> None:
    _two_versions(world, "sales")
