"""What a service is to the library: a name, an app, handlers and migrations. `services/<name>/wiring.py` makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.catalog import Catalog
from shared.db.engine import Database
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.clock import Clock, SystemClock
from shared.messaging.commands import OutsideCall
from shared.messaging.consumers import Consumers
from shared.messaging.gauges import Gauge
from shared.messaging.inbox import Inbox
from shared.messaging.ingest import Store
from shared.messaging.loop import Loop
from shared.messaging.outbox import OutboxWriter
from shared.messaging.timers import TimerHandler
from shared.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Runtime", "Service"]


@dataclass(frozen=True)
class Service:
    """A service. `timers` and `commands` are by kind; `store` replaces the inbox (an archive that is log and inbox
    in one) and then `topics` says what to subscribe to; `loops` are further threads of the bus process, `gauges` what
    it measures of the service's own records; `first_run` is called after every migration and makes what a new
    installation needs, so it changes nothing the second time."""

    name: str
    create_app: Callable[[Runtime], Flask]
    migrations: Path | None = None
    consumers: Consumers = field(default_factory=Consumers)
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    commands: Callable[[Runtime], Mapping[str, OutsideCall]] = lambda runtime: {}
    loops: Callable[[Runtime], Sequence[Loop]] = lambda runtime: ()
    gauges: Sequence[Gauge] = ()
    store: Store | None = None
    topics: tuple[str, ...] = ()
    first_run: Callable[[Runtime], None] | None = None
    settings: type[Settings] = Settings

    @property
    def group(self) -> str:
        """The consumer group, `crm.<name>`."""
        return f"crm.{self.name}"

    def arrivals(self) -> Store:
        """Where records from the bus are stored."""
        return self.store or Inbox(self.group, self.consumers.types)

    def subscriptions(self) -> tuple[str, ...]:
        """The topics to read."""
        if self.topics:
            return self.topics
        catalog = Catalog.load()
        return tuple(sorted({catalog.topic_of(event_type) for event_type in self.consumers.types}))


@dataclass(frozen=True)
class Runtime:
    """A service that has been given its settings and its database. Make it after fork."""

    service: Service
    settings: Settings
    database: Database
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def start(cls, service: Service, settings: Settings, *, role: str, clock: Clock | None = None) -> Runtime:
        """Connect `service` as a process of `role` (web, bus, ...)."""
        database = Database.connect(settings.database_url, application=f"{service.name} {role}")
        return cls(service, settings, database, clock or SystemClock())

    def outbox(self) -> OutboxWriter:
        """Writes this service's facts."""
        return OutboxWriter(f"/crm/{self.service.name}", Catalog.load())

    def unit_of_work(self) -> UnitOfWork:
        """A unit of work over a session of its own."""
        return UnitOfWork(self.database.session(), self.outbox(), self.clock)
