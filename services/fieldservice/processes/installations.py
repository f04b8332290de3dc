"""From sales orders to installations: planned on submission, released as the ERP takes and ships the goods, cancelled
when the order ends.

Facts about one order come in order, but a replayed or skipped one may break it. So what was heard is kept by order
(`OrderHeard`), and applied when the submission comes. A rejected order may be submitted again: its lines then get new
work orders, and answers to the earlier request are only noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.fieldservice.processes.close_work_order import call_off
from services.fieldservice.work_orders.repository import WorkOrders
from services.fieldservice.work_orders.use_cases import create_work_order
from shared.kernel.events import to_data

if TYPE_CHECKING:
    from services.fieldservice.work_orders.model import OrderHeard, WorkOrder
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["TRANSIT", "confirm_installations", "end_installations", "note_shipment", "plan_installations"]

TRANSIT = timedelta(days=1)
"""How long goods are on their way."""


def plan_installations(order: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Make a work order for each line that needs installing. `order`: fields of the submitted fact.

    The same request heard twice makes nothing twice; one that has ended already makes cancelled work orders.
    """
    with uow:
        orders = WorkOrders(uow.session)
        heard = orders.heard(order["order_id"])
        if order["request_no"] <= heard.submitted_no:
            return
        heard.submitted_no = order["request_no"]
        for line in order["lines"]:
            source = ("order_line", order["order_id"], line["line_id"])
            if line["needs_installation"] and orders.standing(*source) is None:
                work_order = create_work_order(
                    _installation(order, line),
                    uow,
                    holds={
                        "order": f"The ERP has not accepted {order['number']} yet.",
                        "goods": "The goods have not been shipped yet.",
                    },
                )
                _apply_confirmation(work_order, heard, uow)
                _apply_shipment(work_order, heard)
                _apply_end(work_order, heard, uow)


def confirm_installations(order: Mapping[str, Any], uow: UnitOfWork) -> None:
    """The ERP took the order: release the hold, cancel what it did not confirm. After a cancellation it is only noted.

    `order`: fields of the acknowledged fact.
    """
    with uow:
        orders = WorkOrders(uow.session)
        heard = orders.heard(order["order_id"])
        heard.acknowledged_no = max(heard.acknowledged_no, order["request_no"])
        heard.confirmed = {line["line_id"]: line["confirmed"] for line in order["lines"]}
        for work_order in orders.of_order(order["order_id"]):
            _apply_confirmation(work_order, heard, uow)


def note_shipment(order: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Goods are on their way: release the hold of the lines that are complete. `order`: fields of the shipped fact."""
    with uow:
        orders = WorkOrders(uow.session)
        heard = orders.heard(order["order_id"])
        shipped = dict(heard.shipped)
        for line in order["shipment_lines"]:
            before = shipped.get(line["line_id"], {"cumulative": "0", "serials": []})
            shipped[line["line_id"]] = {
                # Quantities are cumulative: the greatest one heard is the newest.
                "cumulative": str(max(Decimal(before["cumulative"]), Decimal(line["cumulative"]))),
                "serials": [*before["serials"], *(s for s in line["serials"] if s not in before["serials"])],
                "shipped_at": to_data(order["shipped_at"]),
            }
        heard.shipped = shipped
        told = {line["line_id"] for line in order["shipment_lines"]}
        for work_order in orders.of_order(order["order_id"]):
            # A hold that somebody set on another line for a reason of their own stays.
            if str(work_order.source_line_id) in told:
                _apply_shipment(work_order, heard)


def end_installations(order: Mapping[str, Any], code: str, uow: UnitOfWork) -> None:
    """The order will not be delivered: cancel what has not begun, flag what has. `order`: fields of the fact.

    An order that is not known yet is remembered as ended.
    """
    with uow:
        orders = WorkOrders(uow.session)
        heard = orders.heard(order["order_id"])
        if order["request_no"] < max(heard.submitted_no, heard.ended_no):
            return
        heard.ended_no, heard.end_code = order["request_no"], code
        heard.end_text = f"{order['code']}: {order['text']}"
        for work_order in orders.of_order(order["order_id"]):
            _apply_end(work_order, heard, uow)


def _apply_confirmation(work_order: WorkOrder, heard: OrderHeard, uow: UnitOfWork) -> None:
    confirmed = heard.confirmed.get(str(work_order.source_line_id))
    if confirmed is None or heard.acknowledged_no < heard.submitted_no:
        return
    if work_order.state == "cancelled" and _has_ended(heard):
        work_order.flag(
            "acknowledged_after_cancellation", "The ERP accepted the order after all.", uow.clock.now()
        )
    elif not work_order.is_open:
        return
    elif Decimal(confirmed) == 0:
        _end(work_order, "line_not_confirmed", "The ERP did not confirm the goods.", uow)
    else:
        work_order.confirm_line(Decimal(confirmed))


def _apply_shipment(work_order: WorkOrder, heard: OrderHeard) -> None:
    shipped = heard.shipped.get(str(work_order.source_line_id))
    if shipped is not None and work_order.is_open:
        wanted = sum(Decimal(line["quantity"]) for line in work_order.lines)
        work_order.note_shipment(
            shipped["serials"],
            complete=Decimal(shipped["cumulative"]) >= wanted,
            earliest_at=datetime.fromisoformat(shipped["shipped_at"]) + TRANSIT,
        )


def _apply_end(work_order: WorkOrder, heard: OrderHeard, uow: UnitOfWork) -> None:
    if heard.end_code is not None and _has_ended(heard) and work_order.state != "cancelled":
        _end(work_order, heard.end_code, heard.end_text or heard.end_code, uow)


def _has_ended(heard: OrderHeard) -> bool:
    return heard.ended_no >= max(heard.submitted_no, 1)


def _end(work_order: WorkOrder, code: str, reason: str, uow: UnitOfWork) -> None:
    """What has begun is never stopped by a message; people decide."""
    if work_order.is_started:
        work_order.flag(code, reason, uow.clock.now())
    else:
        call_off(work_order, code, reason, uow)


def _installation(order: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "install",
        "priority": "normal",
        "subject": f"Install {line['description']}",
        "source_kind": "order_line",
        "source_id": order["order_id"],
        "source_line_id": line["line_id"],
        "account_id": order["account_id"],
        "contact_id": order["contact_id"],
        "owner_id": order["owner_id"],
        "asset_id": None,
        "product_id": line["product_id"],
        "opportunity_id": order["opportunity_id"],
        "site": {
            "address": order["ship_to"],
            "latitude": None,
            "longitude": None,
            "access_notes": None,
            "time_zone": None,
        },
        "reported_at": order["effective_at"],
        "due_at": None,
        "due_kind": "finish",
        "lines": [
            {
                "line_id": str(line["line_id"]),
                "type": "part",
                "product_id": str(line["product_id"]),
                "sku": line["sku"],
                "description": line["description"],
                "quantity": line["quantity"],
                "serials": [],
                "state": "planned",
            }
        ],
    }
