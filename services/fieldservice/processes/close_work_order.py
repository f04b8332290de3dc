"""The end of a work order before its work is done: its open appointments end with it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from services.fieldservice.appointments.repository import Appointments
from services.fieldservice.appointments.use_cases import reporter
from services.fieldservice.processes.visits import work_done
from services.fieldservice.work_orders.repository import WorkOrders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.fieldservice.appointments.model import Appointment
    from services.fieldservice.work_orders.model import WorkOrder
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["call_off", "cancel_work_order", "close_out_work_order"]

BY_HAND = "cancelled_by_hand"


def cancel_work_order(
    work_order_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """Call a work order off. Raises NotFound, Stale, IllegalState."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version, lock=True)
        call_off(order, BY_HAND, reason, uow)
        return order


def close_out_work_order(
    work_order_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int
) -> WorkOrder:
    """End a work order without a finishing visit. Raises NotFound, Stale, IllegalState, VisitsRunning."""
    with uow:
        order = WorkOrders(uow.session).get(work_order_id, expected_version=expected_version, lock=True)
        visits = Appointments(uow.session).of_work_order(order.id)
        order.close_out(reason, _running(visits), work_done(visits), uow.clock.now())
        _cancel_open(visits, reason, uow)
        return order


def call_off(order: WorkOrder, code: str, reason: str, uow: UnitOfWork) -> None:
    """Cancel a work order whose row is locked, and its open appointments. Raises IllegalState."""
    visits = Appointments(uow.session).of_work_order(order.id)
    order.cancel(code, reason, _running(visits), uow.clock.now())
    _cancel_open(visits, reason, uow)


def _running(visits: Sequence[Appointment]) -> list[uuid.UUID]:
    return [visit.id for visit in visits if visit.is_running]


def _cancel_open(visits: Sequence[Appointment], reason: str, uow: UnitOfWork) -> None:
    now, by = uow.clock.now(), reporter()
    for visit in visits:
        if visit.is_ahead:
            visit.perform("cancel", now, by, now, reason=reason, needs=None)
