"""The outbox: facts are stored in the transaction that makes them true."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from shared.contracts.catalog import Catalog
from shared.db.base import AggregateRoot, Recorded
from shared.db.plumbing import AUDIT_ENTRIES, OUTBOX
from shared.db.prepared import Insert
from shared.kernel.cause import Cause, current_cause
from shared.kernel.errors import NotFound
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.observability.traces import current_traceparent

__all__ = ["OutboxWriter", "chain_of_facts", "resend", "unpublished"]

_INSERT = Insert(
    OUTBOX,
    "event_id",
    "aggregate_type",
    "aggregate_id",
    "aggregate_version",
    "event_type",
    "topic",
    "partition_key",
    "correlation_id",
    "headers",
    "payload",
    "occurred_at",
)


@dataclass(frozen=True)
class OutboxWriter:
    """Turns recorded facts into outbox rows. `source` is `/crm/<service>`.

    Every fact is checked against its schema before the commit: a producer cannot break its own contract.
    """

    source: str
    catalog: Catalog

    def write(
        self,
        session: Session,
        facts: Sequence[tuple[AggregateRoot, Recorded]],
        cause: Cause,
        correlation_id: uuid.UUID,
        now: datetime,
    ) -> None:
        """Insert one row per fact, in the order they were recorded. Raises ContractViolation."""
        traceparent = current_traceparent()
        rows = [
            self._row(aggregate, recorded, cause, correlation_id, now, traceparent)
            for aggregate, recorded in facts
        ]
        _INSERT(session, rows)

    def _row(
        self,
        aggregate: AggregateRoot,
        recorded: Recorded,
        cause: Cause,
        correlation_id: uuid.UUID,
        now: datetime,
        traceparent: str | None,
    ) -> dict[str, Any]:
        event_type = recorded.event.TYPE
        data = recorded.event.to_data()
        self.catalog.validator(event_type)(data)
        event_id = new_id()
        subject = str(aggregate.id)
        key = recorded.key or subject
        return {
            "event_id": event_id,
            "aggregate_type": aggregate.AGGREGATE,
            "aggregate_id": subject,
            "aggregate_version": recorded.event_no,
            "event_type": event_type,
            "topic": self.catalog.topic_of(event_type),
            "partition_key": key,
            "correlation_id": correlation_id,
            "headers": to_headers(
                event_id=event_id,
                source=self.source,
                event_type=event_type,
                subject=subject,
                time=now,
                dataschema=self.catalog.dataschema(event_type),
                key=key,
                version=recorded.event_no,
                correlation_id=correlation_id,
                causation_id=cause.causation_id,
                actor_id=cause.actor_id,
                data_class=self.catalog.data_class(event_type),
                traceparent=traceparent,
            ),
            "payload": orjson.dumps(data),
            "occurred_at": now,
        }


def unpublished(session: Session, *, parked: bool = False, limit: int = 100) -> list[dict[str, Any]]:
    """Facts that have not reached the broker, oldest first; `parked`: only those the broker refused for good."""
    columns = [c for c in OUTBOX.c if c.name not in ("payload", "headers")]
    query = select(*columns).where(OUTBOX.c.published_at.is_(None))
    query = query.where(OUTBOX.c.parked_at.is_not(None)) if parked else query
    return [dict(row) for row in session.execute(query.order_by(OUTBOX.c.seq).limit(limit)).mappings()]


def resend(session: Session, event_id: uuid.UUID) -> None:
    """Let the relay send a fact again under its own id: a parked one, or a published one that a broker lost.
    It is noted in the audit log. Raises NotFound.
    """
    subject = session.execute(
        update(OUTBOX)
        .where(OUTBOX.c.event_id == event_id)
        .values(published_at=None, parked_at=None, next_attempt_at=None, attempts=0, last_error=None)
        .returning(OUTBOX.c.aggregate_type, OUTBOX.c.aggregate_id)
    ).first()
    if subject is None:
        raise NotFound(f"The outbox holds no fact with the id {event_id}.")
    session.execute(
        insert(AUDIT_ENTRIES).values(
            at=func.clock_timestamp(),
            actor=current_cause().actor_id,
            action="outbox.resend",
            object=f"outbox:{event_id}",
            details={"subject": f"{subject.aggregate_type}:{subject.aggregate_id}"},
        )
    )


def chain_of_facts(session: Session, correlation_id: uuid.UUID) -> list[dict[str, Any]]:
    """What this service said in a chain: id, type, subject, version and the times of commit and publication."""
    c = OUTBOX.c
    rows = session.execute(
        select(
            c.event_id,
            c.event_type,
            c.aggregate_id.label("subject"),
            c.aggregate_version,
            c.occurred_at,
            c.published_at,
            c.parked_at,
            c.attempts,
            c.last_error,
        )
        .where(c.correlation_id == correlation_id)
        .order_by(c.seq)
    )
    return [dict(row) for row in rows.mappings()]
