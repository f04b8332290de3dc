"""Note when personal data in an archived fact was blanked."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE archive ADD COLUMN erased_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE archive DROP COLUMN erased_at")
