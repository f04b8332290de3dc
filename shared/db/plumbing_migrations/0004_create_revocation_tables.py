"""Create the local copy of what ends an access token early: role versions, revoked sessions, names of API clients."""

from alembic import op

revision = "0004"
down_revision = "0003"

CLIENTS = """
ALTER TABLE principals ADD COLUMN client_id text;
CREATE INDEX ix_principals_client_id ON principals (client_id) WHERE client_id IS NOT NULL;
"""
ROLES = """
CREATE TABLE role_versions (
    name text CONSTRAINT pk_role_versions PRIMARY KEY,
    role_id uuid NOT NULL,
    role_version integer NOT NULL,
    version bigint NOT NULL
);
"""
SESSIONS = """
CREATE TABLE revoked_sessions (
    session_id uuid CONSTRAINT pk_revoked_sessions PRIMARY KEY,
    subject_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_revoked_sessions_subject_id ON revoked_sessions (subject_id);
"""


def upgrade() -> None:
    for statement in (CLIENTS, ROLES, SESSIONS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE revoked_sessions, role_versions; ALTER TABLE principals DROP COLUMN client_id")
