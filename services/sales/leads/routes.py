"""Leads over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.leads import queries, use_cases
from services.sales.leads.schemas import (
    AcceptLead,
    LeadFilters,
    LeadOut,
    LeadRow,
    ReturnLead,
    SettledLead,
)
from services.sales.processes import accept_lead as process
from shared.db.listing import Page
from shared.kernel.errors import NotPermitted
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.leads.model import Lead

__all__ = ["blueprint"]

blueprint = Blueprint(
    "leads", __name__, url_prefix="/v1/leads", description="Leads that marketing hands over"
)


def _me() -> uuid.UUID:
    user_id = principal().user_id
    if user_id is None:
        raise NotPermitted("A person has to answer a lead.")
    return user_id


@blueprint.get("", permission="lead.read")
@blueprint.arguments(LeadFilters, location="query")
@blueprint.page(LeadRow)
def list_leads(filters: dict[str, Any]) -> Page:
    """List leads."""
    return queries.list_leads(session(), principal(), filters)


@blueprint.get("/<uuid:lead_id>", permission="lead.read")
@blueprint.response(200, LeadOut)
def get_lead(lead_id: uuid.UUID) -> dict[str, Any]:
    """Read a lead; while it is on offer, with the records that may be the same."""
    lead = queries.get_lead(session(), principal(), lead_id)
    shown = {name: getattr(lead, name) for name in SettledLead().fields}
    return {**shown, "candidates": process.find_candidates(lead, session())}


@blueprint.post("/<uuid:lead_id>/accept", permission="lead.accept", if_match=True)
@blueprint.arguments(AcceptLead)
@blueprint.response(200, SettledLead)
def accept_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Make account, contact and deal of a lead, or link it to those that are there."""
    return process.accept_lead(
        lead_id, command, _me(), principal(), unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:lead_id>/return", permission="lead.return", if_match=True)
@blueprint.arguments(ReturnLead)
@blueprint.response(200, SettledLead)
def return_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Give a lead back to marketing with a reason."""
    return use_cases.return_lead(
        lead_id,
        command["reason"],
        command["note"],
        _me(),
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.return"),
    )
