"""Facts as they arrive from the bus, and a look into the inbox they are stored in."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable
from typing import Any

import orjson
import psycopg
from sqlalchemy import Row, select

from shared.db.engine import Database, libpq_url
from shared.db.plumbing import INBOX
from shared.kernel.clock import FixedClock
from shared.kernel.errors import Permanent
from shared.kernel.ids import new_id
from shared.messaging.consumers import Handler, handles
from shared.messaging.envelope import Fact, to_headers
from shared.messaging.inbox import Stored
from shared.messaging.transport import ReceivedRecord
from shared.messaging.worker import Worker
from shared.service import Runtime
from tests.shared.ledger import LINKED, MORNING, TOPIC, LinkData, note

__all__ = ["Temper", "arrive", "by_state", "inbox", "linked", "step", "worker"]

_offsets = itertools.count()
CHAIN = uuid.UUID("018f3b1e-0000-7000-8000-00000000c0de")


def linked(
    key: str,
    version: int = 1,
    number: str = "1",
    *,
    event_id: uuid.UUID | None = None,
    headers: dict[str, str | None] | None = None,
    value: bytes | None = None,
    topic: str = TOPIC,
) -> ReceivedRecord:
    """A link's fact as the broker delivers it. `headers` replace the usual ones, None takes one away."""
    usual = to_headers(
        event_id=event_id or new_id(),
        source="/crm/erp",
        event_type=LINKED,
        subject=key,
        time=MORNING,
        dataschema="urn:crm:schema:erp/customer.linked.v1",
        key=key,
        version=version,
        correlation_id=CHAIN,
        causation_id=None,
        actor_id="user:ann",
        data_class="none",
        traceparent=None,
    )
    given = {name: value for name, value in {**usual, **(headers or {})}.items() if value is not None}
    data = orjson.dumps({"account_id": key, "erp_customer_id": number, "unheard_of": True})
    return ReceivedRecord(topic, 0, next(_offsets), key, given, data if value is None else value, MORNING)


def arrive(runtime: Runtime, records: Iterable[ReceivedRecord]) -> Stored:
    """Store records in the inbox as ingest does."""
    with psycopg.connect(libpq_url(runtime.settings.database_url)) as connection:
        return runtime.service.arrivals().store(connection, list(records), runtime.clock.now())


def inbox(database: Database) -> list[Row[Any]]:
    """The inbox in the order of arrival."""
    with database.session() as session:
        return list(session.execute(select(INBOX).order_by(INBOX.c.ord)))


def by_state(database: Database) -> dict[str, list[str]]:
    """The numbers in the inbox's facts by the state of their rows, in the order of arrival."""
    states: dict[str, list[str]] = {}
    for row in inbox(database):
        states.setdefault(row.state, []).append(orjson.loads(row.payload)["erp_customer_id"])
    return states


def worker(runtime: Runtime) -> Worker:
    """A worker of the service."""
    service = runtime.service
    return Worker(service.group, service.consumers, runtime.unit_of_work, runtime.clock, "postgresql")


def step(runtime: Runtime) -> None:
    """Let a worker do what there is to do now."""
    at_work = worker(runtime)
    while at_work.step():
        pass


class Temper:
    """A handler that notes facts, and refuses or breaks at the numbers it is told to."""

    def __init__(self, clock: FixedClock) -> None:
        self.refuses: set[str] = set()
        self.breaks_at: set[str] = set()
        self.handler: Handler = handles(LINKED, reads=LinkData)(self._note)
        self.clock = clock

    def _note(self, fact: Fact, uow: Any) -> None:
        note(fact, uow)
        number = fact.data["erp_customer_id"]
        if number in self.refuses:
            raise Permanent(f"{number} is refused")
        if number in self.breaks_at:
            raise RuntimeError(f"{number} broke")
