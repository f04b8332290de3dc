"""Work orders over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.fieldservice.processes import close_work_order as closing
from services.fieldservice.processes.visits import visits_of
from services.fieldservice.work_orders import queries, use_cases
from services.fieldservice.work_orders.schemas import (
    CreateWorkOrder,
    EditWorkOrder,
    HoldWorkOrder,
    ReasonedCommand,
    ReleaseWorkOrder,
    WorkOrderDetail,
    WorkOrderFilters,
    WorkOrderOut,
    WorkOrderRow,
)
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.fieldservice.work_orders.model import WorkOrder

__all__ = ["blueprint"]

OWN_FIELDS = tuple(WorkOrderOut().fields)

blueprint = Blueprint(
    "work_orders", __name__, url_prefix="/v1/work-orders", description="Work at customers' sites"
)


@blueprint.get("", permission="work_order.read")
@blueprint.arguments(WorkOrderFilters, location="query")
@blueprint.page(WorkOrderRow)
def list_work_orders(filters: dict[str, Any]) -> Page:
    """List work orders."""
    return queries.list_work_orders(session(), principal(), filters)


@blueprint.post("", permission="work_order.create")
@blueprint.arguments(CreateWorkOrder)
@blueprint.response(201, WorkOrderOut)
def create_work_order(values: dict[str, Any]) -> WorkOrder:
    """Make a work order by hand or for a case."""
    source = values.pop("source")
    origin = {"source_kind": source["kind"], "source_id": source["id"], "source_line_id": None}
    return use_cases.create_work_order({**values, **origin, "owner_id": principal().user_id}, unit_of_work())


@blueprint.get("/<uuid:work_order_id>", permission="work_order.read")
@blueprint.response(200, WorkOrderDetail)
def get_work_order(work_order_id: uuid.UUID) -> dict[str, Any]:
    """Read a work order with its appointments."""
    order = queries.get_work_order(session(), principal(), work_order_id)
    detail = {name: getattr(order, name) for name in OWN_FIELDS}
    return {**detail, "appointments": visits_of(session(), work_order_id)}


@blueprint.patch("/<uuid:work_order_id>", permission="work_order.edit")
@blueprint.arguments(EditWorkOrder)
@blueprint.response(200, WorkOrderOut)
def edit_work_order(changes: dict[str, Any], work_order_id: uuid.UUID, expected_version: int) -> WorkOrder:
    """Change an open work order."""
    return use_cases.edit_work_order(
        work_order_id, changes, unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:work_order_id>/hold", permission="work_order.edit", if_match=True)
@blueprint.arguments(HoldWorkOrder)
@blueprint.response(200, WorkOrderOut)
def hold_work_order(command: dict[str, Any], work_order_id: uuid.UUID, expected_version: int) -> WorkOrder:
    """Keep it from being planned."""
    return use_cases.hold_work_order(
        work_order_id, uow=unit_of_work(), expected_version=expected_version, **command
    )


@blueprint.post("/<uuid:work_order_id>/release", permission="work_order.edit", if_match=True)
@blueprint.arguments(ReleaseWorkOrder)
@blueprint.response(200, WorkOrderOut)
def release_work_order(command: dict[str, Any], work_order_id: uuid.UUID, expected_version: int) -> WorkOrder:
    """Take a hold off."""
    return use_cases.release_work_order(
        work_order_id, uow=unit_of_work(), expected_version=expected_version, **command
    )


@blueprint.post("/<uuid:work_order_id>/cancel", permission="work_order.close", if_match=True)
@blueprint.arguments(ReasonedCommand)
@blueprint.response(200, WorkOrderOut)
def cancel_work_order(command: dict[str, Any], work_order_id: uuid.UUID, expected_version: int) -> WorkOrder:
    """Call it off, and its open appointments with it."""
    return closing.cancel_work_order(
        work_order_id, command["reason"], unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:work_order_id>/close-out", permission="work_order.close", if_match=True)
@blueprint.arguments(ReasonedCommand)
@blueprint.response(200, WorkOrderOut)
def close_out_work_order(
    command: dict[str, Any], work_order_id: uuid.UUID, expected_version: int
) -> WorkOrder:
    """End it without a finishing visit."""
    return closing.close_out_work_order(
        work_order_id, command["reason"], unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:work_order_id>/reopen", permission="work_order.close", if_match=True)
@blueprint.arguments(ReasonedCommand)
@blueprint.response(200, WorkOrderOut)
def reopen_work_order(command: dict[str, Any], work_order_id: uuid.UUID, expected_version: int) -> WorkOrder:
    """It was not done after all."""
    return use_cases.reopen_work_order(
        work_order_id, command["reason"], unit_of_work(), expected_version=expected_version
    )
