"""Create forms, scoring models and leads with their submissions, behaviours and handovers; install a first model."""

import json

import sqlalchemy as sa
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

FORMS = f"""
CREATE TABLE forms (
    {AGGREGATE}
    name text NOT NULL,
    is_active boolean NOT NULL,
    fields jsonb NOT NULL,
    campaign_id uuid,
    owner_team_id uuid,
    behaviour_type text NOT NULL,
    honeypot text NOT NULL,
    min_fill_seconds double precision NOT NULL
        CONSTRAINT ck_forms_min_fill_seconds CHECK (min_fill_seconds >= 0),
    duplicate_policy text NOT NULL
        CONSTRAINT ck_forms_duplicate_policy CHECK (duplicate_policy IN ('reject', 'link', 'create_flagged')),
    consent_text_version text,
    CONSTRAINT pk_forms PRIMARY KEY (id)
);
CREATE INDEX ix_forms_name ON forms (name, id);
"""
SCORING_MODELS = f"""
CREATE TABLE scoring_models (
    {AGGREGATE}
    name text NOT NULL,
    model_version integer NOT NULL CONSTRAINT uq_scoring_models_model_version UNIQUE,
    state text NOT NULL
        CONSTRAINT ck_scoring_models_state CHECK (state IN ('draft', 'active', 'retired')),
    half_life_seconds bigint NOT NULL
        CONSTRAINT ck_scoring_models_half_life_seconds CHECK (half_life_seconds > 0),
    weights jsonb NOT NULL,
    caps jsonb NOT NULL,
    criteria jsonb NOT NULL,
    warm_from double precision NOT NULL,
    hot_from double precision NOT NULL,
    accept_within_minutes integer NOT NULL
        CONSTRAINT ck_scoring_models_accept_within_minutes CHECK (accept_within_minutes > 0),
    cool_off_days integer NOT NULL
        CONSTRAINT ck_scoring_models_cool_off_days CHECK (cool_off_days >= 0),
    max_handovers integer NOT NULL
        CONSTRAINT ck_scoring_models_max_handovers CHECK (max_handovers > 0),
    activated_at timestamptz,
    CONSTRAINT pk_scoring_models PRIMARY KEY (id),
    CONSTRAINT ck_scoring_models_thresholds CHECK (warm_from <= hot_from)
);
CREATE UNIQUE INDEX uq_scoring_models_active ON scoring_models (state) WHERE state = 'active';
"""
LEADS = f"""
CREATE TABLE leads (
    {AGGREGATE}
    state text NOT NULL CONSTRAINT ck_leads_state CHECK (state IN ('new', 'open', 'held', 'rejected', 'qualified',
        'recycled', 'converted', 'disqualified', 'merged')),
    origin text NOT NULL CONSTRAINT ck_leads_origin CHECK (origin IN ('user', 'import')),
    source text NOT NULL,
    person_id uuid NOT NULL,
    form_id uuid CONSTRAINT fk_leads_form_id REFERENCES forms,
    submission_id text,
    campaign_id uuid,
    given_name text,
    family_name text,
    folded_name text NOT NULL,
    email text,
    email_key text,
    phone text,
    phone_e164 text,
    title text,
    language text,
    time_zone text,
    company_name text,
    folded_company text NOT NULL,
    domain text,
    industry text,
    employee_count integer CONSTRAINT ck_leads_employee_count CHECK (employee_count >= 0),
    country char(2),
    region text,
    postal_code text,
    product_group text,
    interest text,
    utm jsonb NOT NULL,
    consent_text_version text,
    captured_at timestamptz NOT NULL,
    verdict jsonb,
    machine_verdict jsonb,
    scoring_model_id uuid CONSTRAINT fk_leads_scoring_model_id REFERENCES scoring_models,
    half_life_seconds bigint,
    score_ref double precision,
    score_ref_at timestamptz,
    score_told double precision,
    fit integer,
    fit_coverage double precision,
    grade text,
    temperature text,
    explanation jsonb,
    owner_team_id uuid,
    owner_id uuid,
    handover_no integer NOT NULL,
    accept_by timestamptz,
    recycle_count integer NOT NULL,
    recycle_reason text,
    recycled_at timestamptz,
    cool_off_until timestamptz,
    disqualify_reason text,
    account_id uuid,
    contact_id uuid,
    opportunity_id uuid,
    merged_into_id uuid CONSTRAINT fk_leads_merged_into_id REFERENCES leads,
    attention jsonb NOT NULL,
    log jsonb NOT NULL,
    CONSTRAINT pk_leads PRIMARY KEY (id),
    CONSTRAINT ck_leads_merged CHECK ((state = 'merged') = (merged_into_id IS NOT NULL))
);
CREATE INDEX ix_leads_captured_at ON leads (captured_at, id);
CREATE INDEX ix_leads_state_captured_at ON leads (state, captured_at, id);
CREATE INDEX ix_leads_email_key ON leads (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX ix_leads_phone_e164 ON leads (phone_e164) WHERE phone_e164 IS NOT NULL;
CREATE INDEX ix_leads_domain ON leads (domain) WHERE domain IS NOT NULL;
CREATE INDEX ix_leads_folded_company ON leads (folded_company) WHERE folded_company <> '';
CREATE INDEX ix_leads_owner_id ON leads (owner_id) WHERE state = 'qualified';
"""
BEHAVIOURS = """
CREATE TABLE behaviours (
    id uuid NOT NULL,
    lead_id uuid NOT NULL CONSTRAINT fk_behaviours_lead_id REFERENCES leads,
    captured_lead_id uuid NOT NULL,
    person_id uuid NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    source_id text NOT NULL CONSTRAINT uq_behaviours_source_id UNIQUE,
    campaign_id uuid,
    is_machine boolean NOT NULL,
    CONSTRAINT pk_behaviours PRIMARY KEY (id)
);
CREATE INDEX ix_behaviours_lead_id ON behaviours (lead_id, occurred_at);
"""
SUBMISSIONS = """
CREATE TABLE submissions (
    id uuid NOT NULL,
    scope text NOT NULL,
    key text,
    fingerprint bytea NOT NULL,
    lead_id uuid NOT NULL CONSTRAINT fk_submissions_lead_id REFERENCES leads,
    received_at timestamptz NOT NULL,
    raw jsonb NOT NULL,
    ip text,
    user_agent text,
    is_honeypot_filled boolean NOT NULL,
    fill_seconds double precision,
    min_fill_seconds double precision NOT NULL,
    CONSTRAINT pk_submissions PRIMARY KEY (id),
    CONSTRAINT uq_submissions_scope_key UNIQUE (scope, key)
);
CREATE INDEX ix_submissions_fingerprint ON submissions (fingerprint, received_at);
CREATE INDEX ix_submissions_ip ON submissions (ip, received_at) WHERE ip IS NOT NULL;
CREATE INDEX ix_submissions_lead_id ON submissions (lead_id, received_at);
"""
HANDOVERS = """
CREATE TABLE handovers (
    lead_id uuid NOT NULL CONSTRAINT fk_handovers_lead_id REFERENCES leads,
    handover_no integer NOT NULL,
    team_id uuid,
    owner_id uuid,
    handed_over_at timestamptz NOT NULL,
    accept_by timestamptz,
    CONSTRAINT pk_handovers PRIMARY KEY (lead_id, handover_no)
);
CREATE INDEX ix_handovers_owner_id ON handovers (owner_id, handed_over_at);
"""
DISMISSALS = """
CREATE TABLE duplicate_dismissals (
    lead_id uuid NOT NULL CONSTRAINT fk_duplicate_dismissals_lead_id REFERENCES leads,
    other_id uuid NOT NULL CONSTRAINT fk_duplicate_dismissals_other_id REFERENCES leads,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_duplicate_dismissals PRIMARY KEY (lead_id, other_id),
    CONSTRAINT ck_duplicate_dismissals_order CHECK (lead_id < other_id)
);
"""

WEIGHTS = {
    "form": 50,
    "demo_request": 80,
    "click": 5,
    "open": 1,
    "page": 1,
    "attended": 10,
    "survey_answered": 5,
    "unsubscribed": -50,
    "hard_bounce": -75,
}
CAPS = {"open": 1, "page": 5, "click": 3}
CRITERIA = [
    ("named_company", "company", "known", None, 20),
    ("company_mailbox", "company_domain", "known", None, 20),
    ("known_product_group", "product_group", "known", None, 20),
    ("twenty_employees", "employee_count", "at_least", 20, 20),
    (
        "decides",
        "title",
        "contains",
        ["head", "director", "manager", "chief", "leit", "owner", "cfo", "cto"],
        10,
    ),
    ("reachable_by_phone", "phone_e164", "known", None, 10),
]
FIRST_MODEL = sa.text(
    """
    INSERT INTO scoring_models (id, version, event_no, root_correlation_id, created_at, updated_at, name, model_version,
        state, half_life_seconds, weights, caps, criteria, warm_from, hot_from, accept_within_minutes, cool_off_days,
        max_handovers, activated_at)
    VALUES (gen_random_uuid(), 1, 0, gen_random_uuid(), now(), now(), 'First model', 1, 'active', 2592000,
        CAST(:weights AS jsonb), CAST(:caps AS jsonb), CAST(:criteria AS jsonb), 25, 60, 240, 30, 3, now())
    """
)


def upgrade() -> None:
    for statement in (FORMS, SCORING_MODELS, LEADS, BEHAVIOURS, SUBMISSIONS, HANDOVERS, DISMISSALS):
        op.execute(statement)
    names = ("key", "field", "operator", "value", "points")
    criteria = [{**dict(zip(names, row, strict=True)), "excludes": False} for row in CRITERIA]
    op.execute(
        FIRST_MODEL.bindparams(
            weights=json.dumps(WEIGHTS), caps=json.dumps(CAPS), criteria=json.dumps(criteria)
        )
    )


def downgrade() -> None:
    op.execute(
        "DROP TABLE duplicate_dismissals, handovers, submissions, behaviours, leads, scoring_models, forms"
    )
