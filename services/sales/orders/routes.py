"""Orders over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.orders import queries
from services.sales.orders.schemas import (
    CancelOrder,
    Handoff,
    OrderFilters,
    OrderOut,
    OrderRow,
    ResubmitOrder,
)
from services.sales.processes import order_changes
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.orders.model import Order

__all__ = ["blueprint"]

blueprint = Blueprint(
    "orders", __name__, url_prefix="/v1/orders", description="Orders on their way to the ERP and back"
)


@blueprint.get("", permission="order.read")
@blueprint.arguments(OrderFilters, location="query")
@blueprint.page(OrderRow)
def list_orders(filters: dict[str, Any]) -> Page:
    """List orders; `needs_attention=true` is the attention queue."""
    return queries.list_orders(session(), principal(), filters)


@blueprint.get("/<uuid:order_id>", permission="order.read")
@blueprint.response(200, OrderOut)
def get_order(order_id: uuid.UUID) -> Order:
    """Read an order."""
    return queries.get_order(session(), principal(), order_id)


@blueprint.get("/<uuid:order_id>/handoff", permission="order.read")
@blueprint.response(200, Handoff)
def get_handoff(order_id: uuid.UUID) -> dict[str, Any]:
    """What became of this win: every request, every fact, every time."""
    return queries.get_handoff(session(), principal(), order_id)


@blueprint.post("/<uuid:order_id>/cancel", permission="order.cancel", if_match=True)
@blueprint.arguments(CancelOrder)
@blueprint.response(200, OrderOut)
def cancel_order(command: dict[str, Any], order_id: uuid.UUID, expected_version: int) -> Order:
    """Cancel an order, or ask the ERP to."""
    return order_changes.cancel_order(
        order_id,
        command["reason"],
        principal().user_id,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_orders(principal(), "order.cancel"),
    )


@blueprint.post("/<uuid:order_id>/resubmit", permission="order.resubmit", if_match=True)
@blueprint.arguments(ResubmitOrder)
@blueprint.response(200, OrderOut)
def resubmit_order(fixes: dict[str, Any], order_id: uuid.UUID, expected_version: int) -> Order:
    """Hand a rejected order off again, with corrected addresses."""
    return order_changes.resubmit_order(
        order_id,
        fixes,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_orders(principal(), "order.resubmit"),
    )
