"""Create the archive, the bookkeeping of projections, and the tables of the star schema."""

from alembic import op

revision = "0001"
down_revision = None

ARCHIVE = """
CREATE SEQUENCE archive_position;
CREATE TABLE archive (
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    source text NOT NULL,
    type text,
    aggregate_type text,
    aggregate_id text,
    aggregate_version bigint,
    occurred_at timestamptz,
    effective_at timestamptz,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid,
    causation_id text,
    actor_id text,
    dataclass text,
    topic text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    state text NOT NULL CONSTRAINT ck_archive_state CHECK (state IN ('stored', 'undecodable')),
    reason text,
    CONSTRAINT pk_archive PRIMARY KEY (event_id, source)
) PARTITION BY RANGE (event_id);
CREATE TABLE archive_other PARTITION OF archive DEFAULT;
CREATE INDEX ix_archive_position ON archive (position);
CREATE INDEX ix_archive_aggregate_id_aggregate_version ON archive (aggregate_id, aggregate_version);
CREATE INDEX ix_archive_correlation_id ON archive (correlation_id);
CREATE INDEX ix_archive_type_position ON archive (type, position);
"""
PROJECTIONS = """
CREATE TABLE projection_runs (
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text NOT NULL,
    projection_version integer NOT NULL,
    state text NOT NULL
        CONSTRAINT ck_projection_runs_state CHECK (state IN ('building', 'live', 'failed', 'retired')),
    watermark bigint NOT NULL,
    finished_at timestamptz,
    reason text,
    digest jsonb,
    CONSTRAINT pk_projection_runs PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_projection_runs_live ON projection_runs (name) WHERE state = 'live';
CREATE UNIQUE INDEX uq_projection_runs_building ON projection_runs (name) WHERE state = 'building';
CREATE TABLE blocked_keys (
    run_id uuid NOT NULL CONSTRAINT fk_blocked_keys_run_id REFERENCES projection_runs ON DELETE CASCADE,
    key text NOT NULL,
    event_id uuid NOT NULL,
    position bigint NOT NULL,
    error text NOT NULL,
    blocked_at timestamptz NOT NULL,
    CONSTRAINT pk_blocked_keys PRIMARY KEY (run_id, key)
);
CREATE TABLE skipped_facts (
    projection text NOT NULL,
    event_id uuid NOT NULL,
    key text NOT NULL,
    reason text NOT NULL,
    actor_id text NOT NULL,
    skipped_at timestamptz NOT NULL,
    CONSTRAINT pk_skipped_facts PRIMARY KEY (projection, event_id)
);
"""
DIMENSIONS = """
CREATE TABLE people (
    user_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    display_name text NOT NULL,
    manager_id uuid,
    team_ids uuid[] NOT NULL,
    active boolean NOT NULL,
    CONSTRAINT pk_people PRIMARY KEY (user_id)
);
CREATE TABLE team_names (
    team_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    parent_id uuid,
    lead_id uuid,
    CONSTRAINT pk_team_names PRIMARY KEY (team_id)
);
CREATE TABLE products (
    product_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    sku text NOT NULL,
    name text NOT NULL,
    family text,
    CONSTRAINT pk_products PRIMARY KEY (product_id)
);
CREATE TABLE stages (
    pipeline_id uuid NOT NULL,
    stage text NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    name text NOT NULL,
    position integer NOT NULL,
    CONSTRAINT pk_stages PRIMARY KEY (pipeline_id, stage)
);
CREATE TABLE customers (
    customer_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    name text,
    owner_id uuid,
    sector text,
    CONSTRAINT pk_customers PRIMARY KEY (customer_id)
);
CREATE TABLE customer_links (
    event_id uuid NOT NULL,
    member_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    CONSTRAINT pk_customer_links PRIMARY KEY (event_id)
);
CREATE INDEX ix_customer_links_member_id ON customer_links (member_id);
CREATE INDEX ix_customer_links_customer_id ON customer_links (customer_id);
"""
TIMELINE = """
CREATE TABLE timeline (
    entry_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    service text NOT NULL,
    kind text NOT NULL,
    summary text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    effective_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    actor_id text NOT NULL,
    channel text,
    amount numeric(19, 4),
    amount_currency text,
    CONSTRAINT pk_timeline PRIMARY KEY (entry_id)
);
CREATE INDEX ix_timeline_customer_id ON timeline (customer_id, effective_at DESC, entry_id DESC);
"""
FACTS = """
CREATE TABLE opportunity_versions (
    opportunity_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    origin text NOT NULL,
    status text NOT NULL,
    pipeline_id uuid NOT NULL,
    stage text NOT NULL,
    account_id uuid,
    owner_id uuid NOT NULL,
    close_date date NOT NULL,
    probability_bp integer NOT NULL,
    forecast_category text NOT NULL,
    has_amount boolean NOT NULL,
    amount numeric(19, 4),
    weighted numeric(19, 4),
    currency text,
    product_ids uuid[] NOT NULL,
    product_amounts numeric(19, 4)[] NOT NULL,
    product_weighted numeric(19, 4)[] NOT NULL,
    CONSTRAINT pk_opportunity_versions PRIMARY KEY (opportunity_id, version)
);
CREATE INDEX ix_opportunity_versions_newest ON opportunity_versions (status, close_date)
    WHERE valid_to = 'infinity';
CREATE TABLE order_versions (
    order_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    origin text NOT NULL,
    state text NOT NULL,
    fulfilment text NOT NULL,
    billing text NOT NULL,
    account_id uuid NOT NULL,
    owner_id uuid,
    opportunity_id uuid,
    currency text NOT NULL,
    net numeric(19, 4) NOT NULL,
    booked numeric(19, 4) NOT NULL,
    product_ids uuid[] NOT NULL,
    product_booked numeric(19, 4)[] NOT NULL,
    CONSTRAINT pk_order_versions PRIMARY KEY (order_id, version)
);
CREATE INDEX ix_order_versions_newest ON order_versions (state) WHERE valid_to = 'infinity';
CREATE TABLE order_steps (
    event_id uuid NOT NULL,
    order_id uuid NOT NULL,
    step text NOT NULL,
    effective_at timestamptz NOT NULL,
    account_id uuid NOT NULL,
    owner_id uuid,
    amount numeric(19, 4) NOT NULL,
    currency text NOT NULL,
    product_ids uuid[] NOT NULL,
    CONSTRAINT pk_order_steps PRIMARY KEY (event_id)
);
CREATE INDEX ix_order_steps_step ON order_steps (step, effective_at);
CREATE TABLE contracts (
    contract_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    state text NOT NULL,
    account_id uuid NOT NULL,
    owner_id uuid,
    order_id uuid,
    starts_on date,
    ends_on date,
    CONSTRAINT pk_contracts PRIMARY KEY (contract_id)
);
CREATE TABLE work_orders (
    work_order_id uuid NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    state text NOT NULL,
    kind text NOT NULL,
    account_id uuid NOT NULL,
    order_id uuid,
    completed_at timestamptz,
    CONSTRAINT pk_work_orders PRIMARY KEY (work_order_id)
);
"""


def upgrade() -> None:
    for statement in (ARCHIVE, PROJECTIONS, DIMENSIONS, TIMELINE, FACTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE work_orders, contracts, order_steps, order_versions, opportunity_versions, timeline,"
        " customer_links, customers, stages, products, team_names, people,"
        " skipped_facts, blocked_keys, projection_runs, archive"
    )
    op.execute("DROP SEQUENCE archive_position")
