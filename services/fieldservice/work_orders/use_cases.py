"""Create, edit, hold, release and reopen work orders. Where appointments are concerned see `processes/`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError

from services.fieldservice.work_orders.errors import DuplicateSource
from services.fieldservice.work_orders.model import DEFAULT_DEMAND, WorkOrder
from services.fieldservice.work_orders.repository import WorkOrders
from shared.company import company
from shared.db.unit_of_work import UnitOfWork

__all__ = [
    "create_work_order",
    "edit_work_order",
    "hold_work_order",
    "release_work_order",
    "reopen_work_order",
]


def create_work_order(
    values: Mapping[str, Any], uow: UnitOfWork, *, holds: Mapping[str, str] | None = None
) -> WorkOrder:
    """Make a work order. `values`: fields by name, `site` and `demand` as far as known; `holds`: reasons by kind.

    Raises Invalid, DuplicateSource.
    """
    with uow:
        orders = WorkOrders(uow.session)
        now = uow.clock.now()
        filled = {
            **values,
            "number": orders.next_number(),
            "reported_at": values.get("reported_at") or now,
            "site": {
                **values["site"],
                "time_zone": values["site"]["time_zone"] or company(uow.session).zone.key,
            },
            "demand": values.get("demand") or list(DEFAULT_DEMAND),
        }
        order = WorkOrder.create(filled, holds or {}, now)
        try:
            with uow.savepoint():
                orders.add(order)
        except IntegrityError as error:
            # The index on the source decides, so that a double click makes one however close the clicks are.
            known = orders.standing(values["source_kind"], values["source_id"], values["source_line_id"])
            if known is None:
                raise
            raise DuplicateSource(
                f"Use {known.number}.", work_order_id=str(known.id), number=known.number
            ) from error
        return order


def edit_work_order(
    work_order_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """Change an open work order. Raises NotFound, Stale, IllegalState, Invalid."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version)
        order.edit(changes)
        return order


def hold_work_order(
    work_order_id: uuid.UUID, kind: str, reason: str, uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """Keep it from being planned. Raises NotFound, Stale, IllegalState."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version)
        order.hold(kind, reason, uow.clock.now())
        return order


def release_work_order(
    work_order_id: uuid.UUID, kind: str, uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """Take a hold off. Raises NotFound, Stale, IllegalState, NotHeld."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version)
        order.release(kind)
        return order


def reopen_work_order(
    work_order_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """It was not done after all. Raises NotFound, Stale, IllegalState."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version)
        order.reopen(reason, uow.clock.now())
        return order
