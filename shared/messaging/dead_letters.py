"""Dead letters: facts that were given up. They stay in the inbox as `dead`, block their key, and are copied to the
group's `.dlq` topic; a person retries or skips them, with a reason."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, and_, func, insert, select, update
from sqlalchemy.orm import Session

from shared.db.plumbing import AUDIT_ENTRIES, INBOX, OUTBOX
from shared.kernel.cause import current_cause
from shared.kernel.clock import Clock
from shared.kernel.errors import Conflict, NotFound
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["bury", "get_dead_letter", "list_dead_letters", "retry", "skip"]

BURIED = "dead_letter.buried.v1"


def bury(uow: UnitOfWork, row: Any, reason: str) -> None:
    """Copy an inbox row to its group's `.dlq` topic, through the outbox like every other fact."""
    consumer: str = row.consumer
    event_id, now, cause = new_id(), uow.clock.now(), current_cause()
    event_type = f"{consumer}.{BURIED}"
    subject = f"{row.source}/{row.event_id}"
    earlier = select(func.max(OUTBOX.c.aggregate_version)).where(
        OUTBOX.c.aggregate_type == "dead_letter", OUTBOX.c.aggregate_id == subject
    )
    deaths = (uow.session.scalar(earlier) or 0) + 1
    data = {
        "consumer": consumer,
        "source": row.source,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "topic": row.topic,
        "position": row.position,
        "reason": reason,
        "attempts": row.attempts + 1,
        "headers": dict(row.headers),
        "payload_base64": base64.b64encode(bytes(row.payload)).decode(),
    }
    uow.session.execute(
        insert(OUTBOX).values(
            event_id=event_id,
            aggregate_type="dead_letter",
            aggregate_id=subject,
            aggregate_version=deaths,
            event_type=event_type,
            topic=f"{consumer}.dlq",
            partition_key=row.partition_key,
            correlation_id=cause.correlation_id,
            headers=to_headers(
                event_id=event_id,
                source=f"/{consumer.replace('.', '/')}",
                event_type=event_type,
                subject=subject,
                time=now,
                dataschema="urn:crm:schema:dead_letter.buried.v1",
                key=row.partition_key,
                version=deaths,
                correlation_id=cause.correlation_id,
                causation_id=row.event_id,
                actor_id=cause.actor_id,
                data_class="pii",
                traceparent=row.headers.get("traceparent"),
            ),
            payload=orjson.dumps(data),
            occurred_at=now,
        )
    )


def _shown(*, with_payload: bool) -> list[Any]:
    hidden = set() if with_payload else {"headers", "payload"}
    return [column for column in INBOX.c if column.name not in hidden]


def _this(consumer: str, source: str, event_id: str) -> ColumnElement[bool]:
    return and_(INBOX.c.consumer == consumer, INBOX.c.source == source, INBOX.c.event_id == event_id)


def list_dead_letters(session: Session, consumer: str, *, limit: int = 100) -> list[dict[str, Any]]:
    """What the group has given up, oldest first, without payloads."""
    query = (
        select(*_shown(with_payload=False))
        .where(INBOX.c.consumer == consumer, INBOX.c.state == "dead")
        .order_by(INBOX.c.ord)
        .limit(limit)
    )
    return [dict(row) for row in session.execute(query).mappings()]


def get_dead_letter(session: Session, consumer: str, source: str, event_id: str) -> dict[str, Any]:
    """One dead letter with its headers and raw payload. Raises NotFound."""
    query = select(*_shown(with_payload=True)).where(
        _this(consumer, source, event_id), INBOX.c.state == "dead"
    )
    row = session.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"There is no dead letter {event_id} from {source}.")
    return dict(row)


def retry(session: Session, clock: Clock, consumer: str, source: str, event_id: str) -> None:
    """Work on a dead letter again, at once and with all its attempts. Raises NotFound, and Conflict for bytes that
    are no event."""
    letter = get_dead_letter(session, consumer, source, event_id)
    if letter["event_type"] is None:
        raise Conflict("These bytes are no event, so nothing can apply them. Export them, then skip them.")
    _close(session, clock, consumer, (source, event_id), "dead_letter.retry", state="ready", attempts=0)


def skip(session: Session, clock: Clock, consumer: str, source: str, event_id: str, reason: str) -> None:
    """Give a dead letter up for good, so that its key moves on; the reason is kept. Raises NotFound."""
    get_dead_letter(session, consumer, source, event_id)
    _close(
        session,
        clock,
        consumer,
        (source, event_id),
        "dead_letter.skip",
        state="skipped",
        last_error=f"skipped: {reason}",
        done_at=clock.now(),
    )


def _close(
    session: Session, clock: Clock, consumer: str, letter: Sequence[str], action: str, **values: Any
) -> None:
    source, event_id = letter
    session.execute(update(INBOX).where(_this(consumer, source, event_id)).values(**values))
    session.execute(
        insert(AUDIT_ENTRIES).values(
            at=clock.now(),
            actor=current_cause().actor_id,
            action=action,
            object=f"inbox:{source}/{event_id}",
            details={"reason": values["last_error"]} if "last_error" in values else {},
        )
    )
