"""What people and the ERP do to an order."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.orders.model import Order
from services.sales.orders.repository import Orders
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Retriable

__all__ = ["OrderUnknown", "answer_order", "cancel_order", "resubmit_order"]


class OrderUnknown(Retriable):
    """An answer about an order that is not here (yet, after a restore)."""

    problem = "order-unknown"
    title = "The order is not known"


def answer_order(
    order_id: uuid.UUID, apply: Callable[[Order, datetime], Any], uow: UnitOfWork
) -> tuple[Order, Any]:
    """Let an answer of the ERP act on its order; the order and what `apply` returns. Raises OrderUnknown."""
    with uow:
        order = Orders(uow.session).find(order_id, lock=True)
        if order is None:
            raise OrderUnknown(f"There is no order {order_id}.")
        return order, apply(order, uow.clock.now())


def cancel_order(
    order_id: uuid.UUID,
    reason: str,
    requested_by: uuid.UUID | None,
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Order:
    """Cancel an order, or ask the ERP to. Raises NotFound, Stale, IllegalState, ShippedAlready."""
    with uow:
        order = Orders(uow.session).get(order_id, expected_version=expected_version, where=where)
        order.cancel(reason, requested_by, uow.clock.now())
        return order


def resubmit_order(
    order_id: uuid.UUID,
    fixes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Order:
    """Hand a rejected order off again with corrected addresses. Raises NotFound, Stale, IllegalState."""
    with uow:
        order = Orders(uow.session).get(order_id, expected_version=expected_version, where=where)
        order.resubmit(fixes, order.root_correlation_id, uow.clock.now())
        return order
