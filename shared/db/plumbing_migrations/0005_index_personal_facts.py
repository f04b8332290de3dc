"""Find the received facts of a person, which lose what they say when the person is erased."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_inbox_personal ON inbox (partition_key) WHERE headers ->> 'ce_dataclass' = 'pii'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbox_personal")
