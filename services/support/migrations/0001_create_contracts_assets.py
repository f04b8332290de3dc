"""Create contracts with their entitlements, pending facts about orders, and assets."""

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

CONTRACTS = f"""
CREATE SEQUENCE contract_numbers;
CREATE TABLE contracts (
    {AGGREGATE}
    number text NOT NULL,
    state text NOT NULL CONSTRAINT ck_contracts_state
        CHECK (state IN ('draft', 'active', 'suspended', 'cancelled', 'expired')),
    account_id uuid NOT NULL,
    contact_id uuid,
    opportunity_id uuid,
    order_id uuid CONSTRAINT uq_contracts_order_id UNIQUE,
    owner_id uuid,
    starts_on date,
    ends_on date,
    term_months integer NOT NULL CONSTRAINT ck_contracts_term_months CHECK (term_months > 0),
    time_zone text NOT NULL,
    auto_renew boolean NOT NULL,
    notice_days integer NOT NULL,
    lines jsonb NOT NULL,
    cancel_reason text,
    attention jsonb NOT NULL,
    CONSTRAINT pk_contracts PRIMARY KEY (id),
    CONSTRAINT uq_contracts_number UNIQUE (number)
);
-- A deal brings one contract, however often its win is heard.
CREATE UNIQUE INDEX uq_contracts_standing ON contracts (opportunity_id)
    WHERE state NOT IN ('cancelled', 'expired');
CREATE INDEX ix_contracts_account_id ON contracts (account_id);
CREATE INDEX ix_contracts_created_at ON contracts (created_at, id);
CREATE TABLE pending_order_facts (
    order_id uuid NOT NULL,
    kind text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_pending_order_facts PRIMARY KEY (order_id, kind)
);
"""
ENTITLEMENTS = f"""
CREATE TABLE entitlements (
    {AGGREGATE}
    contract_id uuid NOT NULL CONSTRAINT fk_entitlements_contract_id REFERENCES contracts,
    account_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_entitlements_kind CHECK (kind IN ('incidents', 'hours')),
    balance numeric(12, 3) CONSTRAINT ck_entitlements_balance CHECK (balance >= 0),
    CONSTRAINT pk_entitlements PRIMARY KEY (id),
    CONSTRAINT uq_entitlements_contract_id_kind UNIQUE (contract_id, kind)
);
CREATE TABLE entitlement_ledger (
    id uuid CONSTRAINT pk_entitlement_ledger PRIMARY KEY,
    entitlement_id uuid NOT NULL CONSTRAINT fk_entitlement_ledger_entitlement_id REFERENCES entitlements,
    kind text NOT NULL,
    quantity numeric(12, 3) NOT NULL,
    source text NOT NULL,
    source_id text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT uq_entitlement_ledger_source UNIQUE (entitlement_id, kind, source, source_id)
);
"""
ASSETS = f"""
CREATE TABLE assets (
    {AGGREGATE}
    product_id uuid NOT NULL,
    sku text,
    name text NOT NULL,
    serial text,
    status text NOT NULL CONSTRAINT ck_assets_status CHECK (status IN ('in_transit', 'active', 'retired')),
    account_id uuid NOT NULL,
    contact_id uuid,
    opportunity_id uuid,
    order_id uuid,
    order_line_id uuid,
    unit_key text,
    contract_id uuid,
    site jsonb,
    shipped_on date,
    warranty_months integer NOT NULL,
    warranty_starts_on date,
    warranty_ends_on date,
    CONSTRAINT pk_assets PRIMARY KEY (id),
    CONSTRAINT uq_assets_product_id_serial UNIQUE (product_id, serial),
    CONSTRAINT uq_assets_unit UNIQUE (order_id, order_line_id, unit_key)
);
CREATE INDEX ix_assets_account_id ON assets (account_id);
CREATE INDEX ix_assets_created_at ON assets (created_at, id);
"""


def upgrade() -> None:
    for statement in (CONTRACTS, ENTITLEMENTS, ASSETS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE assets, entitlement_ledger, entitlements, pending_order_facts, contracts;"
        " DROP SEQUENCE contract_numbers"
    )
