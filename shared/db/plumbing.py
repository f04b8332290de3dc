"""The tables that the library keeps in every service's database, beside the service's own."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db.base import new_metadata

__all__ = ["AUDIT_ENTRIES", "IDEMPOTENCY_KEYS", "INBOX", "METADATA", "OUTBOX", "OUTSIDE_COMMANDS", "TIMERS"]

METADATA = new_metadata()
_TIME = DateTime(timezone=True)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("aggregate_type", Text, nullable=False),
    Column("aggregate_id", Text, nullable=False),
    Column("aggregate_version", BigInteger, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition_key", Text, nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("occurred_at", _TIME, nullable=False),
    Column("published_at", _TIME),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _TIME),
    Column("last_error", Text),
    Column("parked_at", _TIME),
    UniqueConstraint("aggregate_type", "aggregate_id", "aggregate_version"),
    Index("ix_outbox_pending", "seq", postgresql_where=text("published_at IS NULL")),
    Index(
        "ix_outbox_waiting",
        "seq",
        postgresql_where=text(
            "published_at IS NULL AND (parked_at IS NOT NULL OR next_attempt_at IS NOT NULL)"
        ),
    ),
    Index("ix_outbox_occurred_at", "occurred_at", postgresql_using="brin"),
    Index("ix_outbox_correlation_id", "correlation_id"),
)

INBOX = Table(
    "inbox",
    METADATA,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("ord", BigInteger, Identity(always=True), nullable=False),
    Column("topic", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("partition_key", Text, nullable=False),
    Column("event_type", Text),
    Column("aggregate_version", BigInteger),
    Column("correlation_id", Uuid),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _TIME),
    Column("last_error", Text),
    Column("received_at", _TIME, nullable=False, server_default=text("clock_timestamp()")),
    Column("done_at", _TIME),
    # The head of each key is found through this one. Bytes that are no event block nothing, so it lacks them.
    Index(
        "ix_inbox_unfinished",
        "consumer",
        "topic",
        "partition_key",
        "ord",
        postgresql_where=text("state IN ('ready', 'dead') AND event_type IS NOT NULL"),
    ),
    Index("ix_inbox_dead", "consumer", "ord", postgresql_where=text("state = 'dead'")),
    Index("ix_inbox_received_at", "received_at", postgresql_using="brin"),
    Index("ix_inbox_correlation_id", "correlation_id"),
)

TIMERS = Table(
    "timers",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("owner_type", Text, nullable=False),
    Column("owner_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _TIME),
    Column("last_error", Text),
    Column("fired_at", _TIME),
    Index("ix_timers_due", "due_at", postgresql_where=text("state = 'pending'")),
    Index(
        "uq_timers_pending",
        "owner_type",
        "owner_id",
        "kind",
        unique=True,
        postgresql_where=text("state = 'pending'"),
    ),
)

OUTSIDE_COMMANDS = Table(
    "outside_commands",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("ord", BigInteger, Identity(always=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("causation_id", Text),
    Column("actor_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _TIME),
    Column("lease_until", _TIME),
    Column("last_error", Text),
    Column("created_at", _TIME, nullable=False),
    Column("done_at", _TIME),
    Index(
        "ix_outside_commands_open",
        "key",
        "ord",
        postgresql_where=text("state IN ('queued', 'running', 'in_doubt')"),
    ),
)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("client", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("effects", JSONB, nullable=False),
    Column("created_at", _TIME, nullable=False, index=True),
    Column("status", Integer),
    Column("answer_headers", JSONB),
    Column("answer", LargeBinary),
)

AUDIT_ENTRIES = Table(
    "audit_entries",
    METADATA,
    Column("ord", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    # Given by the sealer, gapless and in order; the hash covers the entry and the hash before it.
    Column("seq", BigInteger, unique=True),
    Column("hash", LargeBinary),
    Index("ix_audit_entries_unsealed", "ord", postgresql_where=text("seq IS NULL")),
)
