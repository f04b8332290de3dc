"""Create the outbox, the inbox, timers, outside commands, idempotency keys and the audit log."""

from alembic import op

revision = "0001"
down_revision = None

OUTBOX = """
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outbox PRIMARY KEY,
    event_id uuid NOT NULL CONSTRAINT uq_outbox_event_id UNIQUE,
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    aggregate_version bigint NOT NULL,
    event_type text NOT NULL,
    topic text NOT NULL,
    partition_key text NOT NULL,
    correlation_id uuid NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    published_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error text,
    parked_at timestamptz,
    CONSTRAINT uq_outbox_aggregate_type_aggregate_id_aggregate_version
        UNIQUE (aggregate_type, aggregate_id, aggregate_version)
);
CREATE INDEX ix_outbox_pending ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX ix_outbox_waiting ON outbox (seq)
    WHERE published_at IS NULL AND (parked_at IS NOT NULL OR next_attempt_at IS NOT NULL);
CREATE INDEX ix_outbox_occurred_at ON outbox USING brin (occurred_at);
CREATE INDEX ix_outbox_correlation_id ON outbox (correlation_id);
"""
INBOX = """
CREATE TABLE inbox (
    consumer text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    ord bigint GENERATED ALWAYS AS IDENTITY,
    topic text NOT NULL,
    position text NOT NULL,
    partition_key text NOT NULL,
    event_type text,
    aggregate_version bigint,
    correlation_id uuid,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    state text NOT NULL CONSTRAINT ck_inbox_state CHECK (state IN ('ready', 'done', 'dead', 'skipped')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    CONSTRAINT pk_inbox PRIMARY KEY (consumer, source, event_id)
);
CREATE UNIQUE INDEX uq_inbox_ord ON inbox (ord);
CREATE INDEX ix_inbox_unfinished ON inbox (consumer, topic, partition_key, ord)
    WHERE state IN ('ready', 'dead') AND event_type IS NOT NULL;
CREATE INDEX ix_inbox_dead ON inbox (consumer, ord) WHERE state = 'dead';
CREATE INDEX ix_inbox_received_at ON inbox USING brin (received_at);
CREATE INDEX ix_inbox_correlation_id ON inbox (correlation_id);
"""
TIMERS = """
CREATE TABLE timers (
    id uuid CONSTRAINT pk_timers PRIMARY KEY,
    owner_type text NOT NULL,
    owner_id uuid NOT NULL,
    kind text NOT NULL,
    due_at timestamptz NOT NULL,
    payload jsonb NOT NULL,
    correlation_id uuid NOT NULL,
    state text NOT NULL CONSTRAINT ck_timers_state CHECK (state IN ('pending', 'fired', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error text,
    fired_at timestamptz
);
CREATE INDEX ix_timers_due ON timers (due_at) WHERE state = 'pending';
CREATE UNIQUE INDEX uq_timers_pending ON timers (owner_type, owner_id, kind) WHERE state = 'pending';
"""
OUTSIDE_COMMANDS = """
CREATE TABLE outside_commands (
    id uuid CONSTRAINT pk_outside_commands PRIMARY KEY,
    ord bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id text,
    actor_id text NOT NULL,
    traceparent text,
    state text NOT NULL CONSTRAINT ck_outside_commands_state
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'in_doubt')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    done_at timestamptz
);
CREATE INDEX ix_outside_commands_open ON outside_commands (key, ord)
    WHERE state IN ('queued', 'running', 'in_doubt');
"""
IDEMPOTENCY_KEYS = """
CREATE TABLE idempotency_keys (
    client text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    effects jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    status integer,
    answer_headers jsonb,
    answer bytea,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (client, key)
);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
"""
AUDIT_ENTRIES = """
CREATE TABLE audit_entries (
    ord bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_audit_entries PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    details jsonb NOT NULL,
    seq bigint CONSTRAINT uq_audit_entries_seq UNIQUE,
    hash bytea
);
CREATE INDEX ix_audit_entries_unsealed ON audit_entries (ord) WHERE seq IS NULL;

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_entries_keep_sealed BEFORE UPDATE ON audit_entries
    FOR EACH ROW WHEN (OLD.seq IS NOT NULL) EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_entries_keep BEFORE DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
"""
# A notice is a hint that saves waiting for the next poll; nothing depends on its arrival.
NOTICES = """
CREATE FUNCTION notify_channel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_NAME, '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notice AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel();
CREATE TRIGGER outside_commands_notice AFTER INSERT ON outside_commands
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel();
CREATE TRIGGER inbox_notice AFTER INSERT ON inbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel();
"""


def upgrade() -> None:
    for statement in (OUTBOX, INBOX, TIMERS, OUTSIDE_COMMANDS, IDEMPOTENCY_KEYS, AUDIT_ENTRIES, NOTICES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE outbox, inbox, timers, outside_commands, idempotency_keys, audit_entries;"
        " DROP FUNCTION notify_channel(); DROP FUNCTION refuse_audit_change();"
    )
