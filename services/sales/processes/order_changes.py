"""What people change about an order, with the timers that watch the ERP's answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.orders import use_cases
from services.sales.orders.model import Order
from services.sales.processes.order_handoff import (
    carry_cancellation_to_deal,
    carry_resubmission_to_deal,
    watch_order,
)
from shared.db.unit_of_work import UnitOfWork

__all__ = ["cancel_order", "resubmit_order"]


def cancel_order(
    order_id: uuid.UUID,
    reason: str,
    requested_by: uuid.UUID | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Order:
    """Cancel an order, or ask the ERP to. Raises NotFound, Stale, IllegalState, ShippedAlready."""
    with uow:
        order = use_cases.cancel_order(
            order_id, reason, requested_by, uow, expected_version=expected_version, where=where
        )
        watch_order(order, uow)
        if order.state == "cancelled":
            carry_cancellation_to_deal(order, reason, uow)
        return order


def resubmit_order(
    order_id: uuid.UUID,
    fixes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Order:
    """Hand a rejected order off again. Raises NotFound, Stale, IllegalState."""
    with uow:
        order = use_cases.resubmit_order(order_id, fixes, uow, expected_version=expected_version, where=where)
        watch_order(order, uow)
        carry_resubmission_to_deal(order, uow)
        return order
