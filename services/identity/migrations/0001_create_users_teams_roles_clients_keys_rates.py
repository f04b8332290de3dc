"""Create users, teams, roles, API clients, signing keys, the organisation and exchange rates.

Triggers keep the library's copy of people and teams, which other services keep from facts: in this database
the original is next door, and a revoked right must not wait for the bus.
"""

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

USERS = f"""
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE users (
    {AGGREGATE}
    email text NOT NULL CONSTRAINT uq_users_email UNIQUE,
    display_name text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    phone_extension text,
    manager_id uuid CONSTRAINT fk_users_manager_id REFERENCES users,
    team_ids uuid[] NOT NULL,
    role_names text[] NOT NULL,
    state text NOT NULL
        CONSTRAINT ck_users_state CHECK (state IN ('invited', 'active', 'suspended', 'deactivated')),
    epoch integer NOT NULL,
    invitation_digest bytea CONSTRAINT uq_users_invitation_digest UNIQUE,
    invitation_expires_at timestamptz,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_manager_id CHECK (manager_id <> id)
);
CREATE INDEX ix_users_display_name ON users (display_name, id);
CREATE INDEX ix_users_display_name_trgm ON users USING gin (display_name gin_trgm_ops);
CREATE INDEX ix_users_manager_id ON users (manager_id);
CREATE INDEX ix_users_team_ids ON users USING gin (team_ids);
CREATE INDEX ix_users_role_names ON users USING gin (role_names);
"""
TEAMS = f"""
CREATE TABLE staff_teams (
    {AGGREGATE}
    name text NOT NULL,
    kind text NOT NULL
        CONSTRAINT ck_staff_teams_kind CHECK (kind IN ('sales', 'support', 'field', 'marketing', 'other')),
    parent_id uuid CONSTRAINT fk_staff_teams_parent_id REFERENCES staff_teams,
    lead_id uuid CONSTRAINT fk_staff_teams_lead_id REFERENCES users,
    member_ids uuid[] NOT NULL,
    state text NOT NULL CONSTRAINT ck_staff_teams_state CHECK (state IN ('active', 'dissolved')),
    CONSTRAINT pk_staff_teams PRIMARY KEY (id)
);
CREATE INDEX ix_staff_teams_name ON staff_teams (name, id);
CREATE INDEX ix_staff_teams_parent_id ON staff_teams (parent_id);
"""
ROLES = f"""
CREATE TABLE roles (
    {AGGREGATE}
    name text NOT NULL,
    says text NOT NULL,
    built_in boolean NOT NULL,
    grants jsonb NOT NULL,
    role_version integer NOT NULL,
    state text NOT NULL CONSTRAINT ck_roles_state CHECK (state IN ('active', 'deleted')),
    CONSTRAINT pk_roles PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_roles_name ON roles (name) WHERE state = 'active';
"""
API_CLIENTS = f"""
CREATE TABLE api_clients (
    {AGGREGATE}
    client_id text NOT NULL CONSTRAINT uq_api_clients_client_id UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    audiences text[] NOT NULL,
    rate_class text NOT NULL,
    subject_id uuid CONSTRAINT fk_api_clients_subject_id REFERENCES users,
    secrets jsonb NOT NULL,
    state text NOT NULL CONSTRAINT ck_api_clients_state CHECK (state IN ('active', 'disabled')),
    epoch integer NOT NULL,
    CONSTRAINT pk_api_clients PRIMARY KEY (id)
);
"""
SIGNING_KEYS = f"""
CREATE TABLE signing_keys (
    {AGGREGATE}
    kid text NOT NULL CONSTRAINT uq_signing_keys_kid UNIQUE,
    public_jwk jsonb NOT NULL,
    private_key bytea NOT NULL,
    CONSTRAINT pk_signing_keys PRIMARY KEY (id)
);
"""
COMPANY = f"""
CREATE TABLE organisations (
    {AGGREGATE}
    name text NOT NULL,
    base_currency char(3) NOT NULL,
    company_zone text NOT NULL,
    fiscal_year_start_month integer NOT NULL
        CONSTRAINT ck_organisations_fiscal_year_start_month CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
    CONSTRAINT pk_organisations PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_organisations_only ON organisations ((true));

CREATE TABLE rate_series (
    {AGGREGATE}
    currency char(3) NOT NULL,
    base_currency char(3) NOT NULL,
    last_published_at timestamptz NOT NULL,
    CONSTRAINT pk_rate_series PRIMARY KEY (id),
    CONSTRAINT uq_rate_series_currency_base_currency UNIQUE (currency, base_currency)
);
CREATE TABLE published_rates (
    id uuid NOT NULL,
    series_id uuid NOT NULL CONSTRAINT fk_published_rates_series_id REFERENCES rate_series,
    rate numeric NOT NULL CONSTRAINT ck_published_rates_rate CHECK (rate > 0),
    valid_from date NOT NULL,
    published_at timestamptz NOT NULL,
    CONSTRAINT pk_published_rates PRIMARY KEY (id)
);
CREATE INDEX ix_published_rates_series_id_valid_from ON published_rates (series_id, valid_from);
CREATE INDEX ix_published_rates_valid_from ON published_rates (valid_from, id);
"""
COPIES = """
CREATE FUNCTION copy_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO principals (id, kind, display_name, email, manager_id, team_ids, epoch, active, version)
    VALUES (NEW.id, 'staff', NEW.display_name, NEW.email, NEW.manager_id, NEW.team_ids, NEW.epoch,
            NEW.state IN ('invited', 'active'), NEW.event_no)
    ON CONFLICT (id) DO UPDATE SET
        display_name = EXCLUDED.display_name, email = EXCLUDED.email, manager_id = EXCLUDED.manager_id,
        team_ids = EXCLUDED.team_ids, epoch = EXCLUDED.epoch, active = EXCLUDED.active,
        version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER users_copy AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION copy_user();

CREATE FUNCTION copy_api_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO principals (id, kind, display_name, epoch, active, version)
    VALUES (NEW.id, 'machine', NEW.name, NEW.epoch, NEW.state = 'active', NEW.event_no)
    ON CONFLICT (id) DO UPDATE SET
        display_name = EXCLUDED.display_name, epoch = EXCLUDED.epoch, active = EXCLUDED.active,
        version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER api_clients_copy AFTER INSERT OR UPDATE ON api_clients
    FOR EACH ROW EXECUTE FUNCTION copy_api_client();

CREATE FUNCTION copy_team() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO teams (id, name, kind, parent_id, lead_id, member_ids, version)
    VALUES (NEW.id, NEW.name, NEW.kind, NEW.parent_id, NEW.lead_id, NEW.member_ids, NEW.event_no)
    ON CONFLICT (id) DO UPDATE SET
        name = EXCLUDED.name, kind = EXCLUDED.kind, parent_id = EXCLUDED.parent_id,
        lead_id = EXCLUDED.lead_id, member_ids = EXCLUDED.member_ids, version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER staff_teams_copy AFTER INSERT OR UPDATE ON staff_teams
    FOR EACH ROW EXECUTE FUNCTION copy_team();
"""


def upgrade() -> None:
    for statement in (USERS, TEAMS, ROLES, API_CLIENTS, SIGNING_KEYS, COMPANY, COPIES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE published_rates, rate_series, organisations, signing_keys, api_clients, roles,"
        " staff_teams, users;"
        " DROP FUNCTION copy_user(); DROP FUNCTION copy_api_client(); DROP FUNCTION copy_team();"
    )
