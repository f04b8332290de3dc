"""What the databases and the bus hold of a ledger, as the proof itself reads it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import psycopg
from sqlalchemy import func, select

from shared.db.plumbing import INBOX, OUTBOX
from shared.messaging.transport import Transport
from shared.service import Runtime
from tests.faults.checker import Effect, Entry, Evidence, Operation, Told
from tests.faults.kafka_groups import KafkaGroups
from tests.faults.ledger import Purse
from tests.shared.ledger import EFFECTS, TOPIC

__all__ = ["Records"]


@dataclass(frozen=True)
class Records:
    """The databases of the writing and the reading service, and the bus: a Kafka cluster or the log at `bus_url`."""

    writer: Runtime
    reader: Runtime
    bus: Transport
    bus_url: str
    groups: KafkaGroups | None

    def effects_made(self) -> int:
        """How many effects there are."""
        with self.reader.database.session() as session:
            return session.scalar(select(func.count()).select_from(EFFECTS)) or 0

    def effects_of(self, subject: str) -> int:
        """How many effects the facts of one purse have had."""
        with self.reader.database.session() as session:
            return session.scalar(select(func.count()).where(EFFECTS.c.subject == subject)) or 0

    def inbox_of(self, subject: str) -> int:
        """How many facts of one purse wait in the reader's inbox."""
        waiting = select(func.count()).where(INBOX.c.partition_key == subject, INBOX.c.state == "ready")
        with self.reader.database.session() as session:
            return session.scalar(waiting) or 0

    def blocked(self) -> set[str]:
        """The keys of which a fact has failed at least once and is not done."""
        failed = select(INBOX.c.partition_key).where(INBOX.c.state == "ready", INBOX.c.attempts > 0)
        with self.reader.database.session() as session:
            return set(session.scalars(failed))

    def dead_letters(self) -> int:
        """How many facts the reader has given up."""
        with self.reader.database.session() as session:
            return session.scalar(select(func.count()).where(INBOX.c.state == "dead")) or 0

    def on_its_way(self) -> dict[str, int]:
        """What has not had its effect yet, by where it is. A dead letter waits for a person, not on its way."""
        waiting = {}
        try:
            for name, runtime in (("writer", self.writer), ("reader", self.reader)):
                with runtime.database.session() as session:
                    unsent = select(func.count()).where(
                        OUTBOX.c.published_at.is_(None), OUTBOX.c.parked_at.is_(None)
                    )
                    ready = select(func.count()).where(INBOX.c.state == "ready")
                    waiting[f"{name} outbox"] = session.scalar(unsent) or 0
                    waiting[f"{name} inbox"] = session.scalar(ready) or 0
            waiting["log"] = self.lag()
        except Exception as error:
            return {f"unreachable: {type(error).__name__}": 1}
        return {place: count for place, count in waiting.items() if count}

    def lag(self) -> int:
        """How many records of the topic the reader's group has not passed."""
        if self.groups is not None:
            return self.groups.lag()
        with psycopg.connect(self.bus_url) as log:
            row = log.execute(
                "SELECT count(*) FROM log WHERE topic = %s AND position > coalesce((SELECT position"
                " FROM group_offsets WHERE consumer_group = 'crm.sales' AND group_offsets.topic = log.topic), 0)",
                (TOPIC,),
            ).fetchone()
        return row[0] if row else 0

    def gather(self, operations: list[Operation]) -> Evidence:
        """All that is compared, beside what writers say of their `operations`."""
        with self.writer.database.session() as session:
            purses = {
                str(row.id): (row.event_no, row.balance)
                for row in session.execute(select(Purse.id, Purse.event_no, Purse.balance))
            }
            rows = session.execute(
                select(OUTBOX).where(OUTBOX.c.topic == TOPIC).order_by(OUTBOX.c.aggregate_id, OUTBOX.c.seq)
            )
            told = [
                Told(str(row.event_id), row.aggregate_id, row.aggregate_version, _operation(row.payload))
                for row in rows
            ]
        with self.reader.database.session() as session:
            effects = [
                Effect(row.event_id, row.subject, row.version, int(row.number))
                for row in session.execute(select(EFFECTS).order_by(EFFECTS.c.ord))
            ]
        log = [
            Entry(each.headers["ce_id"], each.key, int(each.headers["ce_aggregateversion"]), each.position)
            for each in self.bus.read(TOPIC)
            if each.headers.get("ce_source") == "/crm/erp"
        ]
        return Evidence(operations, purses, told, log, effects)


def _operation(payload: bytes) -> str:
    return str(orjson.loads(bytes(payload))["erp_number"])
