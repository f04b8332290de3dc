"""Find the cases of a person."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE INDEX ix_cases_contact_id ON cases (contact_id) WHERE contact_id IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_cases_contact_id")
