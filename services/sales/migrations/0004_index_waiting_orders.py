"""Find the orders that wait for the ERP without reading the others."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_orders_waiting ON orders (state, updated_at) WHERE state IN ('submitted', 'cancelling')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_orders_waiting")
