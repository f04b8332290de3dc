"""Create products, tax rates, quotes with their approval rules, and orders."""

from alembic import op

revision = "0002"
down_revision = "0001"

AGGREGATE = """
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
"""

PRODUCTS = f"""
CREATE TABLE products (
    {AGGREGATE}
    sku text NOT NULL,
    name text NOT NULL,
    description text,
    family text,
    kind text NOT NULL,
    state text NOT NULL CONSTRAINT ck_products_state CHECK (state IN ('draft', 'active', 'retired')),
    unit text NOT NULL,
    quantity_decimals integer NOT NULL,
    tax_code text NOT NULL,
    standard_cost numeric(19, 4),
    standard_cost_currency char(3),
    needs_installation boolean NOT NULL,
    warranty_months integer NOT NULL,
    serialised boolean NOT NULL,
    prices jsonb NOT NULL,
    external_id text CONSTRAINT uq_products_external_id UNIQUE,
    CONSTRAINT pk_products PRIMARY KEY (id),
    CONSTRAINT uq_products_sku UNIQUE (sku)
);
CREATE TABLE tax_rates (
    {AGGREGATE}
    code text NOT NULL,
    rate_bp integer NOT NULL CONSTRAINT ck_tax_rates_rate_bp CHECK (rate_bp BETWEEN 0 AND 10000),
    CONSTRAINT pk_tax_rates PRIMARY KEY (id),
    CONSTRAINT uq_tax_rates_code UNIQUE (code)
);
INSERT INTO tax_rates
SELECT gen_random_uuid(), 1, 0, gen_random_uuid(), now(), now(), r.code, r.rate_bp
FROM (VALUES ('standard', 1900), ('reduced', 700), ('zero', 0)) AS r (code, rate_bp);
"""
QUOTES = f"""
CREATE SEQUENCE quote_numbers;
CREATE TABLE approval_rules (
    id uuid CONSTRAINT pk_approval_rules PRIMARY KEY,
    name text NOT NULL,
    level integer NOT NULL,
    min_discount_bp integer,
    below_margin_bp integer,
    above_payment_days integer
);
INSERT INTO approval_rules
VALUES (gen_random_uuid(), 'Discount of 15 % or more', 1, 1500, NULL, NULL),
       (gen_random_uuid(), 'Margin below 10 %', 1, NULL, 1000, NULL),
       (gen_random_uuid(), 'More than 60 days to pay', 1, NULL, NULL, 60);
CREATE TABLE quotes (
    {AGGREGATE}
    number text NOT NULL,
    revision integer NOT NULL,
    state text NOT NULL,
    opportunity_id uuid CONSTRAINT fk_quotes_opportunity_id REFERENCES opportunities,
    account_id uuid NOT NULL CONSTRAINT fk_quotes_account_id REFERENCES accounts,
    owner_id uuid NOT NULL,
    lead_id uuid,
    campaign_id uuid,
    is_primary boolean NOT NULL,
    currency char(3) NOT NULL,
    valid_until date NOT NULL,
    payment_days integer NOT NULL,
    term_months integer,
    header_discount_bp integer NOT NULL,
    lines jsonb NOT NULL,
    net_total numeric(19, 4) NOT NULL,
    net_total_currency char(3) NOT NULL,
    tax_total numeric(19, 4) NOT NULL,
    tax_total_currency char(3) NOT NULL,
    gross_total numeric(19, 4) NOT NULL,
    gross_total_currency char(3) NOT NULL,
    discount_bp integer NOT NULL,
    margin_bp integer,
    submitted_by text,
    approvals jsonb NOT NULL,
    recipients jsonb NOT NULL,
    document_sha256 text,
    sent_at timestamptz,
    signer jsonb,
    accepted_at timestamptz,
    decline_reason text,
    CONSTRAINT pk_quotes PRIMARY KEY (id),
    CONSTRAINT uq_quotes_number_revision UNIQUE (number, revision)
);
CREATE UNIQUE INDEX uq_quotes_primary ON quotes (opportunity_id) WHERE is_primary;
CREATE INDEX ix_quotes_opportunity_id ON quotes (opportunity_id);
CREATE INDEX ix_quotes_created_at ON quotes (created_at, id);
"""
ORDERS = f"""
CREATE SEQUENCE order_numbers;
CREATE TABLE orders (
    {AGGREGATE}
    number text NOT NULL,
    state text NOT NULL CONSTRAINT ck_orders_state
        CHECK (state IN ('submitted', 'acknowledged', 'rejected', 'cancelling', 'cancelled')),
    technical text NOT NULL,
    request_no integer NOT NULL,
    revision integer NOT NULL,
    opportunity_id uuid CONSTRAINT fk_orders_opportunity_id REFERENCES opportunities,
    quote_id uuid CONSTRAINT fk_orders_quote_id REFERENCES quotes,
    quote_revision integer,
    lead_id uuid,
    campaign_id uuid,
    owner_id uuid NOT NULL,
    account_id uuid NOT NULL CONSTRAINT fk_orders_account_id REFERENCES accounts,
    account jsonb NOT NULL,
    contact_id uuid,
    bill_to jsonb NOT NULL,
    ship_to jsonb NOT NULL,
    currency char(3) NOT NULL,
    lines jsonb NOT NULL,
    net_total numeric(19, 4) NOT NULL,
    net_total_currency char(3) NOT NULL,
    tax_total numeric(19, 4) NOT NULL,
    tax_total_currency char(3) NOT NULL,
    gross_total numeric(19, 4) NOT NULL,
    gross_total_currency char(3) NOT NULL,
    invoiced_total numeric(19, 4) NOT NULL,
    invoiced_total_currency char(3) NOT NULL,
    paid_total numeric(19, 4) NOT NULL,
    paid_total_currency char(3) NOT NULL,
    erp_number text,
    handoffs jsonb NOT NULL,
    attention jsonb NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT uq_orders_number UNIQUE (number)
);
-- A deal has at most one order that stands, however many try to win it at once.
CREATE UNIQUE INDEX uq_orders_standing ON orders (opportunity_id) WHERE state NOT IN ('rejected', 'cancelled');
CREATE INDEX ix_orders_opportunity_id ON orders (opportunity_id, created_at);
CREATE INDEX ix_orders_created_at ON orders (created_at, id);
"""


def upgrade() -> None:
    for statement in (PRODUCTS, QUOTES, ORDERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE orders, quotes, approval_rules, tax_rates, products;"
        " DROP SEQUENCE quote_numbers; DROP SEQUENCE order_numbers"
    )
