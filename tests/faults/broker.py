"""Faults 6 to 11 and 16: a broker that is down, frozen, unreachable, slow or full."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from tests.faults.lab import make_broker
from tests.faults.machine import filled_later, small_disk
from tests.faults.proxy import BadNetwork, Proxy
from tests.faults.registry import fault
from tests.faults.world import PATIENCE, World
from tests.shared.messaging.outages import away

_AT_ONCE = 30.0


def _proxy(world: World) -> Proxy:
    return world.lab.broker.proxy if world.transport == "kafka" else world.lab.bus_proxy


@contextmanager
def _writes_go_on(world: World, seconds: float) -> Iterator[None]:
    """Begin the fault inside the block; at its end writers have been answered all the time, and nobody with 5xx."""
    refused, began = world.refused(), time.monotonic()
    with world.load(patience=5.0):
        world.wait_heard(20)
        yield
        while time.monotonic() - began < seconds:
            world.wait_answered(5)
        world.expect(world.refused() == refused, "writes were refused while only the broker was away")


def _outage(
    world: World, begin: Callable[[], object], end: Callable[[], object], within: float = PATIENCE
) -> None:
    """An outage of a minute, after which everything must be drained `within` so many seconds."""
    if world.long:
        # What piles up in a minute is to be drained in half of one, also on a machine that has other work.
        world.pause = 0.1
    with _writes_go_on(world, 60 if world.long else 4):
        begin()
    end()
    world.healed()
    world.verdict()
    if world.long:
        world.expect(world.recovery <= within, f"after the outage it took {world.recovery:.0f} s to drain")


@fault(6, "broker-down", "the broker is killed and comes back after a minute")
def _broker_down(world: World) -> None:
    if world.transport == "kafka":
        _outage(world, world.lab.broker.kill, world.lab.broker.start, _AT_ONCE)
        return
    closed = away(world.bus_url)
    _outage(world, closed.__enter__, lambda: closed.__exit__(None, None, None), _AT_ONCE)


@fault(7, "broker-frozen", "the broker hangs for a minute with its connections open")
def _broker_frozen(world: World) -> None:
    if world.transport == "kafka":
        _outage(world, world.lab.broker.freeze, world.lab.broker.thaw, _AT_ONCE)
        return
    with world.server() as server:
        name = world.bus_url.rsplit("/", 1)[-1]
        rows = server.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (name,)).fetchall()
    backends = [psutil.Process(pid) for (pid,) in rows]

    def send(number: signal.Signals) -> None:
        for backend in backends:
            os.kill(backend.pid, number)

    _outage(world, lambda: send(signal.SIGSTOP), lambda: send(signal.SIGCONT), _AT_ONCE)


@fault(8, "broker-refuses", "connections are reset, new ones refused")
def _broker_refuses(world: World) -> None:
    proxy = _proxy(world)
    _outage(world, proxy.shut, proxy.heal)


@fault(9, "answers-lost", "requests arrive at the broker, its answers are lost")
def _answers_lost(world: World) -> None:
    proxy = _proxy(world)

    def lose() -> None:
        proxy.lose_answers = True

    _outage(world, lose, proxy.heal)


@fault(9, "answers-lost-for-a-moment", "answers are lost for two seconds, within one session", ("kafka",))
def _answers_lost_for_a_moment(world: World) -> None:
    proxy = _proxy(world)
    with world.load():
        world.wait_heard(20)
        proxy.lose_answers = True
        time.sleep(2)
        proxy.heal()
        world.healed()
        world.wait_heard(20)
    repeats = world.verdict().repeats
    world.expect(repeats == 0, f"within one session of the producer {repeats} records were stored twice")


@fault(10, "bad-network", "500 ms ± 400 ms of delay, 5 % loss and 64 kB/s on the way to the broker")
def _bad_network(world: World) -> None:
    proxy = _proxy(world)
    with world.load(http=1, sql=1):
        world.wait_heard(20)
        starts = [member.starts for member in world.members]
        proxy.network = BadNetwork()
        time.sleep(60 if world.long else 10)
        world.wait_heard(1)
        world.expect([member.starts for member in world.members] == starts, "a process died of it")
        proxy.network = None
        world.healed()


@fault(11, "requests-lost", "what clients send is lost, the other direction works")
def _requests_lost(world: World) -> None:
    proxy = _proxy(world)

    def lose() -> None:
        proxy.lose_requests = True

    _outage(world, lose, proxy.heal)


@fault(16, "broker-disk-full", "the broker's disk fills up", ("kafka",), starts=False)
def _broker_disk_full(world: World) -> None:
    with small_disk(world.folder / "disk", 512) as disk:
        broker = make_broker(disk / "kafka")
        broker.start()
        broker.proxy.start()
        world.lab = world.lab.with_servers(broker=broker)
        try:
            world.start()
            with filled_later(disk) as fill, _writes_go_on(world, 60 if world.long else 4):
                fill()
            # A broker that could not write has given up; whoever runs it starts it again.
            broker.kill()
            broker.start()
            world.healed()
            world.verdict()
            world.stop()
        finally:
            broker.proxy.shut()
            broker.kill()
