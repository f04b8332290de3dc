"""Create the local copy of people and teams."""

from alembic import op

revision = "0002"
down_revision = "0001"

PRINCIPALS = """
CREATE TABLE principals (
    id uuid CONSTRAINT pk_principals PRIMARY KEY,
    kind text NOT NULL CONSTRAINT ck_principals_kind CHECK (kind IN ('staff', 'portal', 'machine')),
    display_name text NOT NULL,
    email text,
    manager_id uuid,
    team_ids uuid[] NOT NULL DEFAULT '{}',
    epoch bigint NOT NULL DEFAULT 0,
    active boolean NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX ix_principals_manager_id ON principals (manager_id);
CREATE INDEX ix_principals_team_ids ON principals USING gin (team_ids);
"""
TEAMS = """
CREATE TABLE teams (
    id uuid CONSTRAINT pk_teams PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    parent_id uuid,
    lead_id uuid,
    member_ids uuid[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL
);
CREATE INDEX ix_teams_parent_id ON teams (parent_id);
CREATE INDEX ix_teams_lead_id ON teams (lead_id);
CREATE INDEX ix_teams_member_ids ON teams USING gin (member_ids);
"""


def upgrade() -> None:
    op.execute(PRINCIPALS)
    op.execute(TEAMS)


def downgrade() -> None:
    op.execute("DROP TABLE principals, teams")
