"""Say when each signing key begins to sign, so that the next one can be published before it is used."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now()")


def downgrade() -> None:
    op.execute("ALTER TABLE signing_keys DROP COLUMN signs_from")
