"""Note when a lead was erased, and find the leads merged into another."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE leads ADD COLUMN erased_at timestamptz")
    op.execute(
        "CREATE INDEX ix_leads_merged_into_id ON leads (merged_into_id) WHERE merged_into_id IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_leads_merged_into_id")
    op.execute("ALTER TABLE leads DROP COLUMN erased_at")
