"""What keeps the plumbing tidy: measurements, retention, and the sealing of the audit log."""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.db.locks import hold
from shared.db.plumbing import AUDIT_ENTRIES
from shared.messaging.loop import Loop
from shared.observability.metrics import metrics

__all__ = ["AuditSealer", "Housekeeper", "audit_hash", "purge", "seal", "verify_audit"]

log = logging.getLogger(__name__)

PURGE_INTERVAL = 3_600.0
GENESIS = bytes(32)

_OUTBOX = text(
    "SELECT count(*) AS pending, coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0) AS age"
    " FROM outbox WHERE published_at IS NULL"
)
_INBOX = text("""
SELECT ready.count AS ready, ready.age, dead.count AS dead, dead.blocked
FROM (SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0) AS age
      FROM inbox WHERE consumer = :consumer AND state = 'ready' AND event_type IS NOT NULL) AS ready,
     (SELECT count(*),
             count(DISTINCT (topic, partition_key)) FILTER (WHERE event_type IS NOT NULL) AS blocked
      FROM inbox WHERE consumer = :consumer AND state = 'dead') AS dead
""")
# The broker keeps 14 days: the inbox must remember longer than that, or a replay would apply facts twice.
_PURGES = {
    "outbox": "occurred_at < clock_timestamp() - interval '14 days'"
    " AND published_at < clock_timestamp() - interval '14 days'",
    "inbox": "received_at < clock_timestamp() - interval '90 days' AND state IN ('done', 'skipped')",
    "idempotency_keys": "created_at < clock_timestamp() - interval '24 hours'",
    "timers": "due_at < clock_timestamp() - interval '90 days' AND state <> 'pending'",
    "revoked_sessions": "expires_at < clock_timestamp() - interval '1 hour'",
    "outside_commands": "done_at < clock_timestamp() - interval '90 days' AND state = 'done'",
}
PURGE_BATCH = 5_000
"""Rows a purge deletes in one transaction: a backlog must not meet the statement timeout."""


class Housekeeper(Loop):
    """Measures the outbox and the inbox every 10 s and deletes what is past its retention every hour."""

    def __init__(self, database: Database, consumer: str) -> None:
        super().__init__("housekeeper", interval=10.0)
        self._database = database
        self._consumer = consumer
        self._purged_at = time.monotonic() - PURGE_INTERVAL

    def step(self) -> bool:
        with self._database.session() as session, session.begin():
            outbox = session.execute(_OUTBOX).one()
            inbox = session.execute(_INBOX, {"consumer": self._consumer}).one()
            metrics.outbox_measured(outbox.pending, float(outbox.age))
            metrics.inbox_measured(
                self._consumer,
                ready=inbox.ready,
                oldest_age_seconds=float(inbox.age),
                dead=inbox.dead,
                blocked_keys=inbox.blocked,
            )
        if time.monotonic() - self._purged_at >= PURGE_INTERVAL:
            for table in _PURGES:
                while purge(self._database, table) == PURGE_BATCH and not self.stopping:
                    pass
            self._purged_at = time.monotonic()
        return False


def purge(database: Database, table: str) -> int:
    """Delete a batch of what is past its retention in `table`; how many rows went."""
    statement = (
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - constants only
        f"SELECT ctid FROM {table} WHERE {_PURGES[table]} LIMIT {PURGE_BATCH}))"
    )
    with database.session() as session, session.begin():
        return session.connection().exec_driver_sql(statement).rowcount


class AuditSealer(Loop):
    """Chains audit entries by hash within a second of their commit."""

    def __init__(self, database: Database) -> None:
        super().__init__("audit sealer")
        self._database = database

    def step(self) -> bool:
        return seal(self._database) > 0


def audit_hash(previous: bytes, entry: Row[Any], seq: int) -> bytes:
    """SHA-256 over the previous hash and the RFC 8785 form of the entry."""
    at: datetime = entry.at
    body = {
        "seq": seq,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "details": entry.details,
    }
    return hashlib.sha256(previous + rfc8785.dumps(body)).digest()


def seal(database: Database, limit: int = 500) -> int:
    """Give the pending entries their place in the chain; how many there were.

    The pending SET is taken, not what follows a cursor: a slow transaction's entry comes later, never never.
    """
    a = AUDIT_ENTRIES.c
    with database.session() as session, session.begin():
        hold(session, "audit sealer")
        entries = session.execute(
            select(AUDIT_ENTRIES).where(a.seq.is_(None)).order_by(a.ord).limit(limit)
        ).all()
        if not entries:
            return 0
        head = session.execute(
            select(a.seq, a.hash).where(a.seq.is_not(None)).order_by(a.seq.desc()).limit(1)
        ).first()
        seq, previous = (head.seq, bytes(head.hash)) if head else (0, GENESIS)
        sealed = []
        for entry in entries:
            seq += 1
            previous = audit_hash(previous, entry, seq)
            sealed.append({"this": entry.ord, "new_seq": seq, "new_hash": previous})
        session.connection().execute(
            text("UPDATE audit_entries SET seq = :new_seq, hash = :new_hash WHERE ord = :this"), sealed
        )
        return len(entries)


def verify_audit(session: Session) -> int | None:
    """Walk the whole chain; the seq of the first entry that does not fit (altered, missing), None when all do.

    The entries come piece by piece, which takes a session that is in a transaction.
    """
    a = AUDIT_ENTRIES.c
    previous = GENESIS
    query = select(AUDIT_ENTRIES).where(a.seq.is_not(None)).order_by(a.seq).execution_options(yield_per=1000)
    for expected, entry in enumerate(session.execute(query), start=1):
        if entry.seq != expected or audit_hash(previous, entry, expected) != bytes(entry.hash):
            return expected
        previous = bytes(entry.hash)
    return None
