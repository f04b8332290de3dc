"""Create cases."""

from alembic import op

revision = "0002"
down_revision = "0001"

CASES = """
CREATE SEQUENCE case_numbers START 1000000;
CREATE TABLE cases (
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    description text,
    channel text NOT NULL,
    state text NOT NULL CONSTRAINT ck_cases_state
        CHECK (state IN ('new', 'open', 'waiting', 'resolved', 'closed')),
    waits_for text,
    wake_at timestamptz,
    priority text NOT NULL,
    impact text NOT NULL,
    urgency text NOT NULL,
    account_id uuid,
    contact_id uuid,
    asset_id uuid CONSTRAINT fk_cases_asset_id REFERENCES assets,
    product_id uuid,
    contract_id uuid CONSTRAINT fk_cases_contract_id REFERENCES contracts,
    order_id uuid,
    opportunity_id uuid,
    cover jsonb,
    owner_id uuid,
    opened_at timestamptz NOT NULL,
    responded_at timestamptz,
    resolved_at timestamptz,
    outcome text,
    answer text,
    log jsonb NOT NULL,
    CONSTRAINT pk_cases PRIMARY KEY (id),
    CONSTRAINT uq_cases_number UNIQUE (number)
);
CREATE INDEX ix_cases_opened_at ON cases (opened_at, id);
CREATE INDEX ix_cases_account_id ON cases (account_id);
CREATE INDEX ix_cases_owner_id ON cases (owner_id) WHERE state NOT IN ('resolved', 'closed');
"""


def upgrade() -> None:
    op.execute(CASES)


def downgrade() -> None:
    op.execute("DROP TABLE cases; DROP SEQUENCE case_numbers")
