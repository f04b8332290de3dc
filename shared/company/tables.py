"""Tables of the local copy."""

from __future__ import annotations

from sqlalchemy import CHAR, BigInteger, Column, Date, Integer, Numeric, Table, Text, Uuid

from shared.db.plumbing import METADATA

__all__ = ["COMPANY", "EXCHANGE_RATES"]

COMPANY = Table(
    "company",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("base_currency", CHAR(3), nullable=False),
    Column("company_zone", Text, nullable=False),
    Column("fiscal_year_start_month", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
)

EXCHANGE_RATES = Table(
    "exchange_rates",
    METADATA,
    Column("currency", CHAR(3), primary_key=True),
    Column("base_currency", CHAR(3), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("rate", Numeric(20, 10), nullable=False),
    Column("version", BigInteger, nullable=False),
)
