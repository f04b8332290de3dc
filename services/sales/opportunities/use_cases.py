"""Create, change, move, lose and reopen opportunities.

A deal stands on an account and a pipeline, which belong to other slices: whoever calls hands in what is needed of
them (`processes/open_opportunity.py` does). Winning makes an order as well: `processes/win_opportunity.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.opportunities.errors import OpportunityExists
from services.sales.opportunities.model import Moment, Opportunity
from services.sales.opportunities.repository import Opportunities
from services.sales.sales_policy import PipelinePlan
from shared.company import company, in_base_currency
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause

__all__ = ["create_opportunity", "edit_opportunity", "lose_opportunity", "moment_now"]


def moment_now(uow: UnitOfWork) -> Moment:
    """This instant, and who acts."""
    return Moment(uow.clock.now(), "user", current_cause().actor_id)


def create_opportunity(values: Mapping[str, Any], plan: PipelinePlan, uow: UnitOfWork) -> Opportunity:
    """Open a deal in the pipeline of `plan`. `values` holds the account's name where there is an account.

    Raises OpportunityExists, UnknownStage, CloseDateOutOfRange, NoRate.
    """
    with uow:
        opportunities = Opportunities(uow.session)
        external_id = values.get("external_id")
        if external_id is not None and opportunities.with_external_id(external_id) is not None:
            raise OpportunityExists(
                f"An opportunity with the external id {external_id} exists. Edit that one."
            )
        today = company(uow.session).today(uow.clock.now())
        amount = values.get("amount")
        return opportunities.add(
            Opportunity.create(
                values,
                plan,
                moment_now(uow),
                base_amount=amount and in_base_currency(uow.session, amount, today),
                today=today,
            )
        )


def edit_opportunity(
    opportunity_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Opportunity:
    """Change fields of an open deal. Raises NotFound, Stale, IllegalState, CloseDateOutOfRange, NoRate."""
    with uow:
        deal = Opportunities(uow.session).get(opportunity_id, expected_version=expected_version, where=where)
        today = company(uow.session).today(uow.clock.now())
        base_amount = deal.base_amount
        if "amount" in changes:
            amount = changes["amount"]
            base_amount = amount and in_base_currency(uow.session, amount, today)
        deal.edit(changes, moment_now(uow), base_amount=base_amount, today=today)
        return deal


def lose_opportunity(
    opportunity_id: uuid.UUID,
    uow: UnitOfWork,
    *,
    reason: str,
    competitor: str | None,
    note: str | None,
    close_date: date | None,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Opportunity:
    """Close a deal as lost, by default today. Raises NotFound, Stale, IllegalState."""
    with uow:
        deal = Opportunities(uow.session).get(opportunity_id, expected_version=expected_version, where=where)
        day = close_date or company(uow.session).today(uow.clock.now())
        deal.lose(reason, day, moment_now(uow), competitor=competitor, note=note)
        return deal
