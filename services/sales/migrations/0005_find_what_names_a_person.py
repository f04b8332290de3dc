"""Find what names a person: activities, the leads a contact came from, the quotes it was sent or signed."""

from alembic import op

revision = "0005"
down_revision = "0004"

INDEXES = """
CREATE INDEX ix_activities_regarding ON activities USING gin (regarding jsonb_path_ops);
CREATE INDEX ix_activities_participants ON activities USING gin (participants jsonb_path_ops);
CREATE INDEX ix_leads_contact_id ON leads (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_quotes_recipients ON quotes USING gin (recipients jsonb_path_ops);
CREATE INDEX ix_quotes_signer ON quotes USING gin (signer jsonb_path_ops);
"""


def upgrade() -> None:
    op.execute(INDEXES)


def downgrade() -> None:
    op.execute(
        "DROP INDEX ix_activities_regarding, ix_activities_participants, ix_leads_contact_id,"
        " ix_quotes_recipients, ix_quotes_signer"
    )
