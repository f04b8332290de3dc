"""Create the local copy of the company's settings and exchange rates."""

from alembic import op

revision = "0003"
down_revision = "0002"

COMPANY = """
CREATE TABLE company (
    id uuid CONSTRAINT pk_company PRIMARY KEY,
    name text NOT NULL,
    base_currency char(3) NOT NULL,
    company_zone text NOT NULL,
    fiscal_year_start_month integer NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE exchange_rates (
    currency char(3) NOT NULL,
    base_currency char(3) NOT NULL,
    valid_from date NOT NULL,
    rate numeric(20, 10) NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT pk_exchange_rates PRIMARY KEY (currency, base_currency, valid_from)
);
"""


def upgrade() -> None:
    op.execute(COMPANY)


def downgrade() -> None:
    op.execute("DROP TABLE company, exchange_rates")
