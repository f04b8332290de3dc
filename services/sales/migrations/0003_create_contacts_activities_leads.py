"""Create contacts, activities and offered leads, names to match by, and the start of the default pipeline."""

from alembic import op

revision = "0003"
down_revision = "0002"

AGGREGATE = """
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
"""

# Names saved from now on are folded by the application, which also cuts legal forms off.
MATCHING = """
ALTER TABLE accounts ADD COLUMN folded_name text NOT NULL DEFAULT '';
UPDATE accounts SET folded_name = btrim(regexp_replace(lower(name), '[^a-z0-9]+', ' ', 'g'));
CREATE INDEX ix_accounts_folded_name_trgm ON accounts USING gin (folded_name gin_trgm_ops);
CREATE INDEX ix_accounts_domain ON accounts (domain) WHERE domain IS NOT NULL;
CREATE INDEX ix_accounts_phone ON accounts (phone) WHERE phone IS NOT NULL;
CREATE INDEX ix_accounts_tax_id ON accounts (tax_id) WHERE tax_id IS NOT NULL;
"""
CONTACTS = f"""
CREATE TABLE contacts (
    {AGGREGATE}
    given_name text,
    family_name text,
    folded_name text NOT NULL,
    account_id uuid CONSTRAINT fk_contacts_account_id REFERENCES accounts
        DEFERRABLE INITIALLY DEFERRED,
    status text NOT NULL CONSTRAINT ck_contacts_status CHECK (status IN ('live', 'merged', 'erased')),
    merged_into_id uuid CONSTRAINT fk_contacts_merged_into_id REFERENCES contacts,
    title text,
    owner_id uuid,
    emails jsonb NOT NULL,
    phones jsonb NOT NULL,
    address jsonb,
    language text,
    time_zone text,
    preferred_channel text,
    do_not_call boolean NOT NULL,
    external_id text CONSTRAINT uq_contacts_external_id UNIQUE,
    CONSTRAINT pk_contacts PRIMARY KEY (id),
    CONSTRAINT ck_contacts_name CHECK (given_name IS NOT NULL OR family_name IS NOT NULL)
);
CREATE INDEX ix_contacts_folded_name ON contacts (folded_name, id);
CREATE INDEX ix_contacts_folded_name_trgm ON contacts USING gin (folded_name gin_trgm_ops);
CREATE INDEX ix_contacts_emails ON contacts USING gin (emails jsonb_path_ops);
CREATE INDEX ix_contacts_phones ON contacts USING gin (phones jsonb_path_ops);
CREATE INDEX ix_contacts_account_id ON contacts (account_id);
"""
ACTIVITIES = f"""
CREATE TABLE activities (
    {AGGREGATE}
    type text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL
        CONSTRAINT ck_activities_status
        CHECK (status IN ('planned', 'in_progress', 'completed', 'missed', 'cancelled')),
    owner_id uuid NOT NULL,
    regarding jsonb NOT NULL,
    account_id uuid,
    contact_id uuid,
    opportunity_id uuid,
    lead_id uuid,
    participants jsonb NOT NULL,
    start_at timestamptz,
    due_at timestamptz,
    step_key text,
    required boolean NOT NULL,
    outcome text,
    next_step text,
    duration_seconds integer,
    call jsonb,
    completed_at timestamptz,
    cancel_reason text,
    CONSTRAINT pk_activities PRIMARY KEY (id)
);
CREATE INDEX ix_activities_owner_id_due_at ON activities (owner_id, due_at) WHERE status = 'planned';
CREATE INDEX ix_activities_account_id ON activities (account_id, created_at);
CREATE INDEX ix_activities_opportunity_id ON activities (opportunity_id, created_at);
CREATE INDEX ix_activities_created_at ON activities (created_at, id);
"""
# Accepting a lead writes it together with the records it becomes, in any order.
LEADS = f"""
CREATE TABLE leads (
    {AGGREGATE}
    state text NOT NULL
        CONSTRAINT ck_leads_state CHECK (state IN ('offered', 'accepted', 'returned', 'withdrawn')),
    handover_no integer NOT NULL,
    accept_by timestamptz,
    owner_id uuid,
    owner_team_id uuid,
    person jsonb NOT NULL,
    company jsonb NOT NULL,
    score integer,
    grade text,
    temperature text,
    probability_bp integer,
    product_group text,
    interest text,
    source text NOT NULL,
    campaign_id uuid,
    account_id uuid CONSTRAINT fk_leads_account_id REFERENCES accounts
        DEFERRABLE INITIALLY DEFERRED,
    contact_id uuid CONSTRAINT fk_leads_contact_id REFERENCES contacts
        DEFERRABLE INITIALLY DEFERRED,
    opportunity_id uuid CONSTRAINT fk_leads_opportunity_id REFERENCES opportunities
        DEFERRABLE INITIALLY DEFERRED,
    settled_at timestamptz,
    settled_by uuid,
    return_reason text,
    return_note text,
    attention jsonb NOT NULL,
    CONSTRAINT pk_leads PRIMARY KEY (id)
);
CREATE INDEX ix_leads_owner_id ON leads (owner_id, created_at) WHERE state = 'offered';
CREATE INDEX ix_leads_owner_team_id ON leads (owner_team_id) WHERE state = 'offered' AND owner_id IS NULL;
CREATE INDEX ix_leads_created_at ON leads (created_at, id);
"""
# The bus process fires it as soon as it starts, once and for all: from then on pipelines are the company's own.
DEFAULT_PIPELINE = """
INSERT INTO timers (id, owner_type, owner_id, kind, due_at, payload, correlation_id, state)
VALUES (gen_random_uuid(), 'pipeline', gen_random_uuid(), 'default_pipeline', '2000-01-01Z', '{}',
        gen_random_uuid(), 'pending');
"""


def upgrade() -> None:
    for statement in (MATCHING, CONTACTS, ACTIVITIES, LEADS, DEFAULT_PIPELINE):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DELETE FROM timers WHERE kind = 'default_pipeline';"
        " DROP TABLE leads, activities, contacts;"
        " DROP INDEX ix_accounts_folded_name_trgm, ix_accounts_domain, ix_accounts_phone, ix_accounts_tax_id;"
        " ALTER TABLE accounts DROP COLUMN folded_name"
    )
