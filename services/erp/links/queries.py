"""Read links."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.orm import Session

from services.erp.links.model import Link
from services.erp.links.repository import Links
from shared.db.listing import Listing, Page, equals, one_of
from shared.messaging.gauges import Gauge

__all__ = ["GAUGES", "get_link", "list_links"]

_COLUMNS = Link.__table__.c


def _matches(text: str) -> ColumnElement[bool]:
    """Part of the customer's name, or the start of a number."""
    return or_(
        Link.account_name.icontains(text, autoescape=True),
        Link.number.istartswith(text, autoescape=True),
        Link.erp_number.istartswith(text, autoescape=True),
    )


_LINKS = Listing(
    select(
        Link.id,
        Link.version,
        Link.number,
        Link.account_id,
        Link.account_name,
        Link.state,
        Link.request_no,
        Link.erp_id,
        Link.erp_number,
        Link.event_no.label("erp_sequence"),
        _COLUMNS.gross_total_amount.label("gross_total"),
        _COLUMNS.gross_total_currency.label("gross_total_currency"),
        _COLUMNS.invoiced_total_amount.label("invoiced_total"),
        _COLUMNS.invoiced_total_currency.label("invoiced_total_currency"),
        _COLUMNS.paid_total_amount.label("paid_total"),
        _COLUMNS.paid_total_currency.label("paid_total_currency"),
        Link.blocked_reason,
        Link.last_error,
        Link.created_at,
        Link.updated_at,
    ),
    key=Link.id,
    filters={
        "state": equals(Link.state),
        "blocked_reason": equals(Link.blocked_reason),
        "account_id": equals(Link.account_id),
        "ids": one_of(Link.id),
        "q": _matches,
    },
    sorts={"created_at": Link.created_at, "updated_at": Link.updated_at},
)

GAUGES = (
    Gauge(
        "crm.erp.orders.open",
        "Orders on their way into the ERP; unsure: it may or may not have a document, blocked: a person decides",
        text(
            "SELECT state, count(*) AS value FROM links WHERE state IN"
            " ('queued', 'creating', 'unsure', 'created', 'blocked', 'cancelling') GROUP BY state"
        ),
    ),
    Gauge(
        "crm.erp.orders.longest_open",
        "How long ago the oldest of them came",
        text(
            "SELECT state, extract(epoch FROM clock_timestamp() - min(created_at)) AS value FROM links WHERE state"
            " IN ('queued', 'creating', 'unsure', 'created', 'blocked', 'cancelling') GROUP BY state"
        ),
        unit="s",
    ),
)


def list_links(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of links."""
    return _LINKS.page(session, arguments)


def get_link(session: Session, order_id: uuid.UUID) -> Link:
    """One link in full, with its calls. Raises NotFound."""
    return Links(session).get(order_id)
