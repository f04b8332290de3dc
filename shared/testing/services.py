"""pytest fixture: one service on a database of its own, asked over HTTP and told facts as if by the bus."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from shared.contracts.catalog import Catalog
from shared.db.engine import libpq_url
from shared.db.plumbing import OUTBOX
from shared.kernel.clock import Clock
from shared.kernel.ids import new_id
from shared.messaging.commands import run_next
from shared.messaging.envelope import to_headers
from shared.messaging.timers import fire_due
from shared.messaging.transport import ReceivedRecord
from shared.messaging.worker import Worker
from shared.service import Runtime, Service
from shared.testing.tokens import ISSUER, jwks_file

__all__ = ["RunningService", "SentFact", "running_service"]


@dataclass(frozen=True, slots=True)
class SentFact:
    """A fact that the service put into its outbox."""

    type: str
    subject: str
    version: int
    key: str
    correlation_id: uuid.UUID
    headers: Mapping[str, str]
    data: dict[str, Any]


@dataclass(frozen=True)
class RunningService:
    """A service with its web application, and its bus process done step by step."""

    runtime: Runtime

    @cached_property
    def app(self) -> Flask:
        """The web application."""
        return self.runtime.service.create_app(self.runtime)

    @property
    def client(self) -> FlaskClient:
        """A client of the web application; `shared.testing.tokens.bearer` makes the headers it needs."""
        return self.app.test_client()

    def deliver(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        subject: str | uuid.UUID | None = None,
        key: str | uuid.UUID | None = None,
        version: int = 1,
        event_id: uuid.UUID | None = None,
        correlation_id: uuid.UUID | None = None,
        actor_id: str = "user:tests",
        at: datetime | None = None,
        work: bool = True,
    ) -> uuid.UUID:
        """Let a fact arrive and be handled; its id. The same `event_id` again is a duplicate delivery.

        Raises ContractViolation when `data` is not what the contract says. With `work=False` it only waits.
        """
        catalog = Catalog.load()
        catalog.validator(event_type)(dict(data))
        event_id, subject = event_id or new_id(), str(subject or new_id())
        now = at or self.runtime.clock.now()
        headers = to_headers(
            event_id=event_id,
            source=f"/crm/{event_type.split('.')[1]}",
            event_type=event_type,
            subject=subject,
            time=now,
            dataschema=catalog.dataschema(event_type),
            key=str(key or subject),
            version=version,
            correlation_id=correlation_id or new_id(),
            causation_id=None,
            actor_id=actor_id,
            data_class=catalog.data_class(event_type),
            traceparent=None,
        )
        value = json.dumps(dict(data)).encode()
        record = ReceivedRecord(catalog.topic_of(event_type), 0, 0, str(key or subject), headers, value, now)
        with psycopg.connect(libpq_url(self.runtime.settings.database_url)) as connection:
            self.runtime.service.arrivals().store(connection, [record], now)
        if work:
            self.work()
        return event_id

    def work(self) -> None:
        """Handle what has arrived and is due."""
        service = self.runtime.service
        worker = Worker(
            service.group, service.consumers, self.runtime.unit_of_work, self.runtime.clock, "postgresql"
        )
        while worker.step():
            pass

    def fire_timers(self) -> None:
        """Fire the timers that are due."""
        while fire_due(self.runtime.unit_of_work, self.runtime.service.timers, self.runtime.clock):
            pass

    def run_commands(self) -> None:
        """Carry out the outside commands that are due."""
        calls = self.runtime.service.commands(self.runtime)
        while run_next(self.runtime.unit_of_work, calls, self.runtime.clock):
            pass

    def facts(self, event_type: str | None = None) -> list[SentFact]:
        """What the service has said so far, in order; of one type if given."""
        c = OUTBOX.c
        query = select(OUTBOX).order_by(c.seq)
        with self.runtime.database.engine.connect() as connection:
            return [
                SentFact(
                    row.event_type,
                    row.aggregate_id,
                    row.aggregate_version,
                    row.partition_key,
                    row.correlation_id,
                    row.headers,
                    json.loads(bytes(row.payload)),
                )
                for row in connection.execute(query)
                if event_type in (None, row.event_type)
            ]


@pytest.fixture
def running_service(
    database_for: Callable[[str], str], tmp_path: Path
) -> Iterator[Callable[..., RunningService]]:
    """`running_service(SERVICE, clock=..., rate_limit="2/minute")` runs a service with other settings.

    Tokens are those of `shared.testing.tokens`. A service asked for twice is two processes on one database.
    """
    with ExitStack() as stack:

        def run(service: Service, *, clock: Clock | None = None, **changes: Any) -> RunningService:
            url = database_for(service.name)
            usual = {
                "database_url": url,
                "bus": "postgres",
                "bus_database_url": url,
                "identity_url": ISSUER,
                "jwks_file": jwks_file(tmp_path),
                "secret": "a secret for tests only",
                "rate_limit": "10000/second",
                "public_rate_limit": "10000/second",
            }
            settings = service.settings(service=service.name, **{**usual, **changes})
            runtime = Runtime.start(service, settings, role="test", clock=clock)
            stack.enter_context(closing(runtime.database))
            return RunningService(runtime)

        yield run
