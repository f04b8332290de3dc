"""Read orders, and what became of a win."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from services.sales.orders.model import Order
from services.sales.orders.repository import Orders
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of
from shared.messaging.gauges import Gauge
from shared.messaging.inbox import chain_of_received
from shared.messaging.outbox import chain_of_facts

__all__ = ["GAUGES", "get_handoff", "get_order", "list_orders", "visible_orders"]

_COLUMNS = Order.__table__.c

_ORDERS = Listing(
    select(
        Order.id,
        Order.version,
        Order.number,
        Order.state,
        Order.technical,
        Order.account_id,
        Order.opportunity_id,
        Order.owner_id,
        Order.erp_number,
        _COLUMNS.net_total_amount.label("net_total"),
        _COLUMNS.net_total_currency.label("net_total_currency"),
        Order.attention,
        Order.created_at,
        Order.updated_at,
    ),
    key=Order.id,
    filters={
        "state": equals(Order.state),
        "account_id": equals(Order.account_id),
        "opportunity_id": equals(Order.opportunity_id),
        "owner_id": equals(Order.owner_id),
        "erp_number": equals(Order.erp_number),
        "number": equals(Order.number),
        "needs_attention": lambda wanted: (func.jsonb_array_length(Order.attention) > 0) == wanted,
        "ids": one_of(Order.id),
    },
    sorts={"created_at": Order.created_at, "number": Order.number},
)

GAUGES = (
    Gauge(
        "crm.sales.orders.waiting",
        "Orders that the ERP has yet to answer",
        text(
            "SELECT state, count(*) AS value FROM orders"
            " WHERE state IN ('submitted', 'cancelling') GROUP BY state"
        ),
    ),
    Gauge(
        "crm.sales.orders.longest_wait",
        "How long ago the one that waits longest was last changed",
        text(
            "SELECT state, extract(epoch FROM clock_timestamp() - min(updated_at)) AS value FROM orders"
            " WHERE state IN ('submitted', 'cancelling') GROUP BY state"
        ),
        unit="s",
    ),
)


def visible_orders(principal: Principal, permission: str = "order.read") -> ColumnElement[bool]:
    """The orders that `principal` may use with `permission`."""
    return reach_filter(
        principal, permission, owner=Order.owner_id, account=Order.account_id, contact=Order.contact_id
    )


def list_orders(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of orders."""
    return _ORDERS.page(session, arguments, visible_orders(principal))


def get_order(session: Session, principal: Principal, order_id: uuid.UUID) -> Order:
    """One order in full. Raises NotFound, also for what the caller may not see."""
    return Orders(session).get(order_id, where=visible_orders(principal))


def get_handoff(session: Session, principal: Principal, order_id: uuid.UUID) -> dict[str, Any]:
    """What became of a win: the order's requests to the ERP and the chain's facts with their times and states."""
    order = get_order(session, principal, order_id)
    chain = order.root_correlation_id
    told = [
        {
            "event_id": str(fact["event_id"]),
            "type": fact["event_type"],
            "direction": "told",
            "occurred_at": fact["occurred_at"],
            "published_at": fact["published_at"],
            "received_at": None,
            "done_at": None,
            "state": "published" if fact["published_at"] else "parked" if fact["parked_at"] else "pending",
        }
        for fact in chain_of_facts(session, chain)
    ]
    heard = [
        {
            "event_id": fact["event_id"],
            "type": fact["event_type"],
            "direction": "heard",
            "occurred_at": fact["occurred_at"],
            "published_at": None,
            "received_at": fact["received_at"],
            "done_at": fact["done_at"],
            "state": fact["state"],
        }
        for fact in chain_of_received(session, chain)
    ]
    return {
        "order_id": order.id,
        "number": order.number,
        "state": order.state,
        "technical": order.technical,
        "fulfilment": order.fulfilment,
        "billing": order.billing,
        "erp_number": order.erp_number,
        "correlation_id": chain,
        "requests": order.handoffs,
        "attention": order.attention,
        "facts": sorted(told + heard, key=lambda fact: fact["occurred_at"]),
    }
