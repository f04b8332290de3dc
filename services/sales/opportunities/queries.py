"""Read opportunities: list, detail and the board."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from services.sales.opportunities.model import Opportunity
from services.sales.opportunities.repository import Opportunities
from shared.access import Principal, reach_filter
from shared.company import company
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of
from shared.kernel.money import Money

__all__ = ["board", "get_opportunity", "list_opportunities", "visible_opportunities"]

# Money is two columns; the attribute of the class is the pair.
_COLUMNS = Opportunity.__table__.c

_OPPORTUNITIES = Listing(
    select(
        Opportunity.id,
        Opportunity.version,
        Opportunity.name,
        Opportunity.status,
        Opportunity.account_id,
        Opportunity.account_name,
        Opportunity.owner_id,
        Opportunity.pipeline_id,
        Opportunity.stage,
        Opportunity.stage_entered_at,
        Opportunity.probability_bp,
        Opportunity.forecast_category,
        _COLUMNS.amount_amount.label("amount"),
        _COLUMNS.amount_currency.label("amount_currency"),
        Opportunity.close_date,
        Opportunity.next_step,
        Opportunity.external_id,
        Opportunity.created_at,
        Opportunity.updated_at,
    ),
    key=Opportunity.id,
    filters={
        "stage": equals(Opportunity.stage),
        "status": equals(Opportunity.status),
        "account_id": equals(Opportunity.account_id),
        "owner_id": equals(Opportunity.owner_id),
        "pipeline_id": equals(Opportunity.pipeline_id),
        "lead_id": equals(Opportunity.lead_id),
        "external_id": equals(Opportunity.external_id),
        "amount_gte": at_least(_COLUMNS.base_amount_amount),
        "amount_lte": at_most(_COLUMNS.base_amount_amount),
        "close_date_gte": at_least(Opportunity.close_date),
        "close_date_lte": at_most(Opportunity.close_date),
        "ids": one_of(Opportunity.id),
        "q": lambda text: Opportunity.name.icontains(text, autoescape=True),
    },
    sorts={
        "close_date": Opportunity.close_date,
        "created_at": Opportunity.created_at,
        "name": Opportunity.name,
        "amount": func.coalesce(_COLUMNS.base_amount_amount, 0),
    },
)


def visible_opportunities(principal: Principal, permission: str = "opportunity.read") -> ColumnElement[bool]:
    """The deals that `principal` may use with `permission`."""
    return reach_filter(principal, permission, owner=Opportunity.owner_id, account=Opportunity.account_id)


def list_opportunities(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of deals; amount filters compare in the base currency."""
    return _OPPORTUNITIES.page(session, arguments, visible_opportunities(principal))


def get_opportunity(session: Session, principal: Principal, opportunity_id: uuid.UUID) -> Opportunity:
    """One deal in full. Raises NotFound, also for what the caller may not see."""
    return Opportunities(session).get(opportunity_id, where=visible_opportunities(principal))


def board(session: Session, principal: Principal, pipeline_id: uuid.UUID | None) -> list[dict[str, Any]]:
    """The open deals by stage: count, amount and weighted amount in the base currency.

    Weighted: each deal's base amount times its probability, rounded half up per deal, then added.
    """
    base = _COLUMNS.base_amount_amount
    currency = company(session).base_currency
    weighted = func.round(base * Opportunity.probability_bp / 10_000, 2)
    query = (
        select(
            Opportunity.pipeline_id,
            Opportunity.stage,
            func.count().label("count"),
            func.coalesce(func.sum(base), 0).label("amount"),
            func.coalesce(func.sum(weighted), 0).label("weighted"),
        )
        .where(Opportunity.status == "open", visible_opportunities(principal))
        .group_by(Opportunity.pipeline_id, Opportunity.stage)
        .order_by(Opportunity.pipeline_id, Opportunity.stage)
    )
    if pipeline_id is not None:
        query = query.where(Opportunity.pipeline_id == pipeline_id)
    return [
        {
            "pipeline_id": row.pipeline_id,
            "stage": row.stage,
            "count": row.count,
            "amount": Money.of(row.amount, currency),
            "weighted": Money.of(row.weighted, currency),
        }
        for row in session.execute(query)
    ]
