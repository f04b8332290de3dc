"""Read quotes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.sales.quotes.model import Quote
from services.sales.quotes.repository import Quotes
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_quote", "list_quotes", "visible_quotes"]

_COLUMNS = Quote.__table__.c

_QUOTES = Listing(
    select(
        Quote.id,
        Quote.version,
        Quote.number,
        Quote.revision,
        Quote.state,
        Quote.is_primary,
        Quote.opportunity_id,
        Quote.account_id,
        Quote.owner_id,
        Quote.currency,
        Quote.valid_until,
        _COLUMNS.net_total_amount.label("net_total"),
        _COLUMNS.net_total_currency.label("net_total_currency"),
        Quote.discount_bp,
        Quote.created_at,
        Quote.updated_at,
    ),
    key=Quote.id,
    filters={
        "state": equals(Quote.state),
        "opportunity_id": equals(Quote.opportunity_id),
        "account_id": equals(Quote.account_id),
        "owner_id": equals(Quote.owner_id),
        "number": equals(Quote.number),
        "ids": one_of(Quote.id),
    },
    sorts={"created_at": Quote.created_at, "valid_until": Quote.valid_until, "number": Quote.number},
)


def visible_quotes(principal: Principal, permission: str = "quote.read") -> ColumnElement[bool]:
    """The quotes that `principal` may use with `permission`; customers see what they were sent."""
    mine = reach_filter(principal, permission, owner=Quote.owner_id, account=Quote.account_id)
    return mine & Quote.sent_at.is_not(None) if principal.kind == "portal" else mine


def list_quotes(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of quotes."""
    return _QUOTES.page(session, arguments, visible_quotes(principal))


def get_quote(session: Session, principal: Principal, quote_id: uuid.UUID) -> Quote:
    """One quote in full. Raises NotFound, also for what the caller may not see."""
    return Quotes(session).get(quote_id, where=visible_quotes(principal))
