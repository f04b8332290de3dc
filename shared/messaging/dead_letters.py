"""Dead letters: facts that were given up.

They stay in the inbox as `dead`, block their key, and are copied to the group's `.dlq` topic; a person retries or
skips them, with a reason.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import Session

from shared.db.plumbing import AUDIT_ENTRIES, INBOX
from shared.kernel.cause import current_cause
from shared.kernel.clock import Clock
from shared.kernel.errors import Conflict, NotFound
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.observability.metrics import metrics

__all__ = ["Letter", "bury", "get_dead_letter", "list_dead_letters", "retry", "skip"]

BURIED = "dead_letter.buried.v1"

# With base64 and the headers, a larger payload would be refused by every broker.
_LARGEST_COPIED = 600_000

# Of a letter that dies again after a retry there is a second copy, with the next version.
_BURY = """
INSERT INTO outbox (event_id, aggregate_type, aggregate_id, aggregate_version, event_type, topic,
                    partition_key, correlation_id, headers, payload, occurred_at)
SELECT %(event_id)s, 'dead_letter', %(subject)s, v.version, %(event_type)s, %(topic)s, %(key)s,
       %(correlation_id)s, %(headers)s || jsonb_build_object('ce_aggregateversion', v.version::text),
       %(payload)s, %(now)s
FROM (SELECT coalesce(max(aggregate_version), 0) + 1 AS version FROM outbox
      WHERE aggregate_type = 'dead_letter' AND aggregate_id = %(subject)s) AS v
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """An inbox row that is given up: see the table's columns."""

    consumer: str
    source: str
    event_id: str
    event_type: str | None
    topic: str
    position: str
    partition_key: str
    correlation_id: uuid.UUID | None
    headers: Mapping[str, str]
    payload: bytes
    attempts: int


def bury(execute: Callable[[Any, Any], Any], letter: Letter, reason: str, now: datetime) -> None:
    """Copy a letter to its group's `.dlq` topic, through the outbox like every other fact.

    `execute` runs a statement with psycopg's parameters in the transaction that makes the letter dead.
    """
    consumer, event_id = letter.consumer, new_id()
    event_type = f"{consumer}.{BURIED}"
    subject = f"{letter.source}/{letter.event_id}"
    correlation_id = letter.correlation_id or new_id()
    # What stands in the headers of bytes that are no event is shown, not believed.
    believed = letter.headers if letter.event_type is not None else {}
    payload = letter.payload if len(letter.payload) <= _LARGEST_COPIED else b""
    data = {
        "consumer": consumer,
        "source": letter.source,
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "topic": letter.topic,
        "position": letter.position,
        "reason": reason,
        "attempts": letter.attempts,
        "headers": dict(letter.headers),
        "payload_bytes": len(letter.payload),
        "payload_base64": base64.b64encode(payload).decode(),
    }
    headers = to_headers(
        event_id=event_id,
        source=f"/{consumer.replace('.', '/')}",
        event_type=event_type,
        subject=subject,
        time=now,
        dataschema=f"urn:crm:schema:{BURIED}",
        key=letter.partition_key,
        version=1,
        correlation_id=correlation_id,
        causation_id=letter.event_id,
        actor_id=believed.get("ce_actorid", "system:internal"),
        data_class="pii",
        traceparent=believed.get("traceparent"),
    )
    execute(
        _BURY,
        {
            "event_id": event_id,
            "subject": subject,
            "event_type": event_type,
            "topic": f"{consumer}.dlq",
            "key": letter.partition_key,
            "correlation_id": correlation_id,
            "headers": Jsonb(headers),
            "payload": orjson.dumps(data),
            "now": now,
        },
    )
    metrics.dead_lettered(letter.topic)


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


def get_dead_letter(
    session: Session, consumer: str, source: str, event_id: str, *, lock: bool = False
) -> dict[str, Any]:
    """One dead letter with its headers and raw payload; `lock` holds it until the commit. Raises NotFound."""
    query = select(*_shown(with_payload=True)).where(
        _this(consumer, source, event_id), INBOX.c.state == "dead"
    )
    row = session.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFound(f"There is no dead letter {event_id} from {source}.")
    return dict(row)


def retry(session: Session, clock: Clock, consumer: str, source: str, event_id: str) -> None:
    """Work on a dead letter again, at once and with all its attempts. Raises NotFound, and Conflict for bytes
    that are no event."""
    letter = _lock(session, consumer, source, event_id)
    if letter["event_type"] is None:
        raise Conflict("These bytes are no event, so nothing can apply them. Export them, then skip them.")
    session.execute(update(INBOX).where(INBOX.c.ord == letter["ord"]).values(state="ready", attempts=0))
    _note(session, clock, "dead_letter.retry", letter, {})


def skip(session: Session, clock: Clock, consumer: str, source: str, event_id: str, reason: str) -> None:
    """Give a dead letter up for good, so that its key moves on; the reason is kept. Raises NotFound."""
    letter = _lock(session, consumer, source, event_id)
    reason = f"skipped: {reason}"
    session.execute(
        update(INBOX)
        .where(INBOX.c.ord == letter["ord"])
        .values(state="skipped", last_error=reason, done_at=clock.now())
    )
    _note(session, clock, "dead_letter.skip", letter, {"reason": reason})


def _lock(session: Session, consumer: str, source: str, event_id: str) -> dict[str, Any]:
    """The letter, held until the commit: of two people who decide at once, the second finds it gone."""
    return get_dead_letter(session, consumer, source, event_id, lock=True)


def _note(
    session: Session, clock: Clock, action: str, letter: Mapping[str, Any], details: dict[str, Any]
) -> None:
    session.execute(
        insert(AUDIT_ENTRIES).values(
            at=clock.now(),
            actor=current_cause().actor_id,
            action=action,
            object=f"inbox:{letter['source']}/{letter['event_id']}",
            details=details,
        )
    )
