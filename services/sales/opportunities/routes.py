"""Opportunities over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.opportunities import queries, use_cases
from services.sales.opportunities.schemas import (
    Board,
    BoardFilters,
    CreateOpportunity,
    EditOpportunity,
    LoseOpportunity,
    MoveOpportunity,
    OpportunityFilters,
    OpportunityOut,
    OpportunityRow,
    ReopenOpportunity,
    WinOpportunity,
)
from services.sales.processes import open_opportunity as process
from services.sales.processes import win_opportunity as winning
from shared.db.listing import Page
from shared.kernel.errors import NotPermitted
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.opportunities.model import Opportunity

__all__ = ["blueprint"]

blueprint = Blueprint(
    "opportunities", __name__, url_prefix="/v1/opportunities", description="Deals on their way to won or lost"
)


@blueprint.get("", permission="opportunity.read")
@blueprint.arguments(OpportunityFilters, location="query")
@blueprint.page(OpportunityRow)
def list_opportunities(filters: dict[str, Any]) -> Page:
    """List deals. Amounts are compared and sorted in the base currency."""
    return queries.list_opportunities(session(), principal(), filters)


@blueprint.post("", permission="opportunity.create")
@blueprint.arguments(CreateOpportunity)
@blueprint.response(201, OpportunityOut)
def create_opportunity(values: dict[str, Any]) -> Opportunity:
    """Open a deal."""
    values.setdefault("owner_id", principal().user_id)
    return process.open_opportunity(values, unit_of_work())


@blueprint.get("/board", permission="opportunity.read")
@blueprint.arguments(BoardFilters, location="query")
@blueprint.response(200, Board)
def get_board(filters: dict[str, Any]) -> dict[str, Any]:
    """The open deals by stage: count, amount, weighted amount."""
    return {"columns": queries.board(session(), principal(), filters["pipeline_id"])}


@blueprint.get("/<uuid:opportunity_id>", permission="opportunity.read")
@blueprint.response(200, OpportunityOut)
def get_opportunity(opportunity_id: uuid.UUID) -> Opportunity:
    """Read a deal."""
    return queries.get_opportunity(session(), principal(), opportunity_id)


@blueprint.patch("/<uuid:opportunity_id>", permission="opportunity.edit")
@blueprint.arguments(EditOpportunity)
@blueprint.response(200, OpportunityOut)
def edit_opportunity(
    changes: dict[str, Any], opportunity_id: uuid.UUID, expected_version: int
) -> Opportunity:
    """Change an open deal."""
    return process.change_opportunity(
        opportunity_id,
        changes,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_opportunities(principal(), "opportunity.edit"),
    )


@blueprint.post("/<uuid:opportunity_id>/move", permission="opportunity.move", if_match=True)
@blueprint.arguments(MoveOpportunity)
@blueprint.response(200, OpportunityOut)
def move_opportunity(
    command: dict[str, Any], opportunity_id: uuid.UUID, expected_version: int
) -> Opportunity:
    """Move a deal to another stage."""
    if command["override_reason"] is not None and not principal().may("opportunity.override"):
        raise NotPermitted("To move against the policy you need the permission opportunity.override.")
    return process.move_opportunity(
        opportunity_id,
        command["stage"],
        unit_of_work(),
        expected_version=expected_version,
        override_reason=command["override_reason"],
        where=queries.visible_opportunities(principal(), "opportunity.move"),
    )


@blueprint.post("/<uuid:opportunity_id>/win", permission="opportunity.win", if_match=True)
@blueprint.arguments(WinOpportunity)
@blueprint.response(200, OpportunityOut)
def win_opportunity(command: dict[str, Any], opportunity_id: uuid.UUID, expected_version: int) -> Opportunity:
    """Win a deal; from its accepted quote an order goes to the ERP with it."""
    return winning.win_opportunity(
        opportunity_id,
        command["close_date"],
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_opportunities(principal(), "opportunity.win"),
    )


@blueprint.post("/<uuid:opportunity_id>/lose", permission="opportunity.lose", if_match=True)
@blueprint.arguments(LoseOpportunity)
@blueprint.response(200, OpportunityOut)
def lose_opportunity(
    command: dict[str, Any], opportunity_id: uuid.UUID, expected_version: int
) -> Opportunity:
    """Close a deal as lost."""
    return use_cases.lose_opportunity(
        opportunity_id,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_opportunities(principal(), "opportunity.lose"),
        **command,
    )


@blueprint.post("/<uuid:opportunity_id>/reopen", permission="opportunity.reopen", if_match=True)
@blueprint.arguments(ReopenOpportunity)
@blueprint.response(200, OpportunityOut)
def reopen_opportunity(
    command: dict[str, Any], opportunity_id: uuid.UUID, expected_version: int
) -> Opportunity:
    """Open a closed deal again."""
    return process.reopen_opportunity(
        opportunity_id,
        command["stage"],
        command["reason"],
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_opportunities(principal(), "opportunity.reopen"),
    )
