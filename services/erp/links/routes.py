"""Links over HTTP, and the door for answers of other systems."""

from __future__ import annotations

import uuid
from typing import Any

from services.erp.links import queries, use_cases
from services.erp.links.schemas import (
    AnswerTaken,
    GiveAnswer,
    LinkDetail,
    LinkFilters,
    LinkRow,
    RejectOrder,
    ResendOrder,
)
from services.erp.processes.take_answer import take_answer
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

__all__ = ["answers", "blueprint"]

blueprint = Blueprint(
    "links",
    __name__,
    url_prefix="/v1/links",
    description="Our orders and the ERP's documents: how far each is",
)
answers = Blueprint("answers", __name__, url_prefix="/v1/answers", description="Where a foreign ERP answers")


@blueprint.get("", permission="erp_link.read")
@blueprint.arguments(LinkFilters, location="query")
@blueprint.page(LinkRow)
def list_links(filters: dict[str, Any]) -> Page:
    """List links, the newest first."""
    return queries.list_links(session(), filters)


@blueprint.get("/<uuid:order_id>", permission="erp_link.read")
@blueprint.response(200, LinkDetail)
def get_link(order_id: uuid.UUID) -> Any:
    """Read a link with every call that was made for it."""
    return queries.get_link(session(), order_id)


@blueprint.post("/<uuid:order_id>/resend", permission="erp_link.repair", if_match=True)
@blueprint.arguments(ResendOrder)
@blueprint.response(200, LinkDetail)
def resend(command: dict[str, Any], order_id: uuid.UUID, expected_version: int) -> Any:
    """Start again with an order that is rejected or blocked, under the same id."""
    return use_cases.resend_order(
        order_id, command["reason"], unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:order_id>/take-erp-figures", permission="erp_link.repair", if_match=True)
@blueprint.response(200, LinkDetail)
def take_erp_figures(order_id: uuid.UUID, expected_version: int) -> Any:
    """Confirm an order whose totals differ, with the ERP's totals."""
    return use_cases.take_erp_figures(order_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:order_id>/reject", permission="erp_link.repair", if_match=True)
@blueprint.arguments(RejectOrder)
@blueprint.response(200, LinkDetail)
def reject(command: dict[str, Any], order_id: uuid.UUID, expected_version: int) -> Any:
    """Give a blocked order up: sales hears that it is rejected, and why."""
    return use_cases.reject_order(
        order_id, command["reason"], unit_of_work(), expected_version=expected_version
    )


@answers.post("", permission="erp_answer.give")
@answers.arguments(GiveAnswer)
@answers.response(200, AnswerTaken)
def give_answer(values: dict[str, Any]) -> Any:
    """Tell what a foreign ERP did with an order. An id that comes again has no second effect."""
    return take_answer(values, unit_of_work())
