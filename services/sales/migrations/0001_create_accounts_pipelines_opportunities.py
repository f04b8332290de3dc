"""Create accounts, pipelines and opportunities, with the default pipeline's place."""

from alembic import op

revision = "0001"
down_revision = None

AGGREGATE = """
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
"""

ACCOUNTS = f"""
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE accounts (
    {AGGREGATE}
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT ck_accounts_kind CHECK (kind IN ('prospect', 'customer', 'partner', 'former')),
    status text NOT NULL CONSTRAINT ck_accounts_status CHECK (status IN ('live', 'merged', 'erased')),
    parent_id uuid CONSTRAINT fk_accounts_parent_id REFERENCES accounts,
    merged_into_id uuid CONSTRAINT fk_accounts_merged_into_id REFERENCES accounts,
    owner_id uuid,
    industry text,
    employee_count integer CONSTRAINT ck_accounts_employee_count CHECK (employee_count >= 0),
    annual_revenue numeric(19, 4),
    annual_revenue_currency char(3),
    website text,
    domain text,
    tax_id text,
    tax_country char(2),
    phone text,
    currency char(3) NOT NULL,
    addresses jsonb NOT NULL,
    erp_number text,
    external_id text CONSTRAINT uq_accounts_external_id UNIQUE,
    CONSTRAINT pk_accounts PRIMARY KEY (id)
);
CREATE INDEX ix_accounts_name ON accounts (name, id);
CREATE INDEX ix_accounts_name_trgm ON accounts USING gin (name gin_trgm_ops);
CREATE INDEX ix_accounts_owner_id ON accounts (owner_id);
CREATE INDEX ix_accounts_parent_id ON accounts (parent_id);
"""
PIPELINES = f"""
CREATE TABLE pipelines (
    {AGGREGATE}
    name text NOT NULL,
    pipeline_version integer NOT NULL,
    state text NOT NULL CONSTRAINT ck_pipelines_state CHECK (state IN ('draft', 'active', 'archived')),
    win_requires text NOT NULL,
    on_accept text NOT NULL,
    stages jsonb NOT NULL,
    CONSTRAINT pk_pipelines PRIMARY KEY (id),
    CONSTRAINT uq_pipelines_name_pipeline_version UNIQUE (name, pipeline_version)
);
CREATE UNIQUE INDEX uq_pipelines_active ON pipelines (name) WHERE state = 'active';
"""
OPPORTUNITIES = f"""
CREATE TABLE opportunities (
    {AGGREGATE}
    name text NOT NULL,
    status text NOT NULL CONSTRAINT ck_opportunities_status CHECK (status IN ('open', 'won', 'lost')),
    account_id uuid CONSTRAINT fk_opportunities_account_id REFERENCES accounts,
    account_name text,
    primary_contact_id uuid,
    owner_id uuid NOT NULL,
    team jsonb NOT NULL,
    pipeline_id uuid NOT NULL CONSTRAINT fk_opportunities_pipeline_id REFERENCES pipelines,
    pipeline_version integer NOT NULL,
    stage text NOT NULL,
    previous_stage text,
    stage_entered_at timestamptz NOT NULL,
    stage_log jsonb NOT NULL,
    probability_bp integer NOT NULL
        CONSTRAINT ck_opportunities_probability_bp CHECK (probability_bp BETWEEN 0 AND 10000),
    probability_overridden boolean NOT NULL,
    forecast_category text NOT NULL,
    amount numeric(19, 4),
    amount_currency char(3),
    base_amount numeric(19, 4),
    base_amount_currency char(3),
    amount_source text NOT NULL,
    expected_budget numeric(19, 4),
    expected_budget_currency char(3),
    close_date date NOT NULL,
    next_step text,
    lines jsonb NOT NULL,
    lead_id uuid,
    campaign_id uuid,
    lost_reason text,
    competitor text,
    closed_at timestamptz,
    attention jsonb NOT NULL,
    external_id text CONSTRAINT uq_opportunities_external_id UNIQUE,
    CONSTRAINT pk_opportunities PRIMARY KEY (id)
);
CREATE INDEX ix_opportunities_created_at ON opportunities (created_at, id);
CREATE INDEX ix_opportunities_account_id ON opportunities (account_id);
CREATE INDEX ix_opportunities_owner_id_close_date ON opportunities (owner_id, close_date) WHERE status = 'open';
CREATE INDEX ix_opportunities_stage_created_at ON opportunities (stage, created_at, id);
"""


def upgrade() -> None:
    for statement in (ACCOUNTS, PIPELINES, OPPORTUNITIES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE opportunities, pipelines, accounts")
