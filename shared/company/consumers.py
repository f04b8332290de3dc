"""Handlers that keep the local copy; every service lists them among its own."""

from __future__ import annotations

from marshmallow import Schema, fields
from sqlalchemy.dialects.postgresql import insert

from shared.company.tables import COMPANY, EXCHANGE_RATES
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS", "remember_company", "remember_exchange_rate"]


class CompanyState(Schema):
    """What is kept of the company."""

    organisation_id = fields.UUID(required=True)
    name = fields.String(required=True)
    base_currency = fields.String(required=True)
    company_zone = fields.String(required=True)
    fiscal_year_start_month = fields.Integer(required=True)


class RateState(Schema):
    """A published rate: one unit of `currency` in `base_currency` from a day on."""

    currency = fields.String(required=True)
    base_currency = fields.String(required=True)
    valid_from = fields.Date(required=True)
    rate = fields.Decimal(required=True)


@handles("crm.identity.organisation.changed.v1", reads=CompanyState)
def remember_company(fact: Fact, uow: UnitOfWork) -> None:
    """Keep the company's settings."""
    state = dict(fact.data)
    row = {"id": state.pop("organisation_id"), "version": fact.version, **state}
    statement = insert(COMPANY).values(row)
    uow.session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={name: statement.excluded[name] for name in row if name != "id"},
            where=COMPANY.c.version < statement.excluded.version,
        )
    )


@handles("crm.identity.exchange_rate.published.v1", reads=RateState)
def remember_exchange_rate(fact: Fact, uow: UnitOfWork) -> None:
    """Keep a rate; a later publication for the same day corrects it."""
    statement = insert(EXCHANGE_RATES).values(version=fact.version, **fact.data)
    uow.session.execute(
        statement.on_conflict_do_update(
            index_elements=["currency", "base_currency", "valid_from"],
            set_={"rate": statement.excluded.rate, "version": statement.excluded.version},
            where=EXCHANGE_RATES.c.version < statement.excluded.version,
        )
    )


HANDLERS = (remember_company, remember_exchange_rate)
