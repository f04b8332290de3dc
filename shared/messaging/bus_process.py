"""The bus process of a service: relay, ingest, worker, timers and outside commands, a thread each."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import psycopg

from shared.contracts.catalog import Catalog
from shared.crash_points import passing
from shared.db.engine import connect
from shared.db.migrations import at_head
from shared.messaging.commands import OutsideCall, run_next
from shared.messaging.gauges import GaugeLoop
from shared.messaging.health import HealthServer
from shared.messaging.housekeeping import AuditSealer, Housekeeper
from shared.messaging.ingest import Ingest
from shared.messaging.loop import Loop
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.relay import Relay
from shared.messaging.replay_command import REPLAY, ReplayCall
from shared.messaging.timers import TimerHandler, fire_due
from shared.messaging.transport import Transport
from shared.messaging.worker import Worker
from shared.service import Runtime
from shared.settings import Settings

__all__ = ["BusProcess", "open_transport"]

log = logging.getLogger(__name__)

SYSTEMS = {"postgres": "postgresql", "kafka": "kafka"}
STOP_SECONDS = 10.0
HINT_SECONDS = 0.5
STALL_SECONDS = 60.0


def open_transport(settings: Settings) -> Transport:
    """The broker that the settings name."""
    if settings.bus == "kafka":
        # Half a second and some megabytes that a process on the embedded bus need not spend.
        from shared.messaging.kafka import KafkaBus
        from shared.messaging.kafka_login import KafkaLogin

        assert settings.kafka_bootstrap is not None
        return KafkaBus(settings.kafka_bootstrap, login=KafkaLogin.of(settings))
    assert settings.bus_database_url is not None
    return PostgresBus(settings.bus_database_url)


class _TimerLoop(Loop):
    def __init__(self, runtime: Runtime, handlers: Mapping[str, TimerHandler]) -> None:
        super().__init__("timers")
        self._runtime = runtime
        self._handlers = handlers

    def step(self) -> bool:
        return fire_due(self._runtime.unit_of_work, self._handlers, self._runtime.clock) > 0


class _CommandLoop(Loop):
    def __init__(self, runtime: Runtime, calls: Mapping[str, OutsideCall], name: str) -> None:
        super().__init__(name)
        self._runtime = runtime
        self._calls = calls

    def step(self) -> bool:
        return run_next(self._runtime.unit_of_work, self._calls, self._runtime.clock)


class _Retention(Loop):
    """Deletes from the embedded log what the service's own topics need not keep any longer."""

    def __init__(self, runtime: Runtime, bus: PostgresBus) -> None:
        super().__init__("retention", interval=3_600)
        self._runtime = runtime
        self._bus = bus

    def step(self) -> bool:
        for topic in Catalog.load().topics.values():
            if topic.service == self._runtime.service.name and not self.stopping:
                self._bus.expire(topic.name, self._runtime.clock.now() - timedelta(days=topic.retention_days))
        return False


class _Hints(Loop):
    """Listens to the database's notices and wakes the loop concerned. A hint only: every loop polls as well."""

    def __init__(self, url: str, listeners: Mapping[str, Loop]) -> None:
        super().__init__("hints", interval=0)
        self._url = url
        self._listeners = listeners
        self._connection: psycopg.Connection[Any] | None = None

    def step(self) -> bool:
        if self._connection is None:
            self._connection = connect(self._url, application="hints", autocommit=True)
            for channel in self._listeners:
                self._connection.execute(f'LISTEN "{channel}"')
        for notice in self._connection.notifies(timeout=HINT_SECONDS, stop_after=1):
            passing("W3")
            self._listeners[notice.channel].wake()
        return True

    def recover(self) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class BusProcess:
    """All loops of one service. `start`, then `stop`; or `run` until SIGTERM."""

    COMMAND_THREADS = 2

    def __init__(self, runtime: Runtime, transport: Transport | None = None) -> None:
        service, settings = runtime.service, runtime.settings
        self._runtime = runtime
        url = settings.database_url
        system = SYSTEMS[settings.bus]
        transport = transport or open_transport(settings)
        relay = Relay(url, transport.publisher, system)
        worker = Worker(service.group, service.consumers, runtime.unit_of_work, runtime.clock, system)
        listeners: dict[str, Loop] = {"outbox": relay, "inbox": worker}
        loops: list[Loop] = [
            relay,
            AuditSealer(runtime.database),
            Housekeeper(runtime.database, service.group),
            GaugeLoop(runtime.database, service.gauges),
            *service.loops(runtime),
        ]
        if isinstance(transport, PostgresBus):
            loops.append(_Retention(runtime, transport))
        if service.consumers.types:
            loops.append(worker)
        topics = service.subscriptions()
        if topics:
            followers = [loop for loop in loops if loop.follows_ingest]
            loops.append(
                Ingest(
                    url,
                    lambda: transport.subscriber(service.group, topics),
                    service.arrivals(),
                    runtime.clock,
                    service.group,
                    followers,
                )
            )
        if service.timers:
            loops.append(_TimerLoop(runtime, service.timers))
        calls = dict(service.commands(runtime))
        if topics:
            calls[REPLAY] = ReplayCall(runtime, lambda: open_transport(settings))
        if calls:
            commands = [_CommandLoop(runtime, calls, f"commands {n}") for n in range(self.COMMAND_THREADS)]
            listeners["outside_commands"] = commands[0]
            loops.extend(commands)
        loops.append(_Hints(url, {k: v for k, v in listeners.items() if v in loops}))
        self.loops = loops
        self._health = HealthServer(settings, self.is_alive, self.is_ready)

    def is_alive(self) -> bool:
        """Whether every loop has finished a step lately; touches nothing outside."""
        return all(time.monotonic() - loop.last_beat < STALL_SECONDS for loop in self.loops)

    def is_ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether the database is reachable and migrated. A broker outage is `degraded`, not unready: facts wait in
        the outbox."""
        failing = sorted(loop.name for loop in self.loops if loop.failures)
        ready, why = at_head(self._runtime.database, self._runtime.service.migrations)
        state = "ready" if ready and not failing else "degraded" if ready else "unready"
        return ready, {"state": state, "failing": failing, **({"reason": why} if why else {})}

    def start(self) -> None:
        """Start all threads."""
        self._health.start()
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        """End in order: every loop finishes its present step, commits what is whole and gives back its locks."""
        for loop in self.loops:
            loop.stop()
        deadline = time.monotonic() + STOP_SECONDS
        for loop in self.loops:
            if not loop.join(max(0.0, deadline - time.monotonic())):
                log.error("%s did not end within %.0f s", loop.name, STOP_SECONDS)
        self._health.stop()
        self._runtime.database.close()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        # A signal may come while this thread holds an event's lock, which its handler would wait for for ever.
        ended: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: ended.put(number))
        self.start()
        log.info("the bus process works", extra={"loops": [loop.name for loop in self.loops]})
        ended.get()
        self.stop()
