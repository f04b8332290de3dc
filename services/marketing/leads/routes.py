"""Leads over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from flask import Response, json

from services.marketing.leads import queries, use_cases
from services.marketing.leads.schemas import (
    CaptureLead,
    DismissDuplicate,
    Doubles,
    HandOver,
    LeadFilters,
    LeadOut,
    LeadRow,
    MergeLead,
    NoteBehaviour,
    OverrideVerdict,
    Reason,
)
from services.marketing.processes import capture_lead as capturing
from services.marketing.processes import judge_lead as judging
from services.marketing.processes import lead_handover
from services.marketing.processes.merge_leads import merge_leads
from shared.db.listing import Page
from shared.kernel.errors import NotPermitted
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.marketing.leads.model import Lead

__all__ = ["blueprint"]

blueprint = Blueprint(
    "leads",
    __name__,
    url_prefix="/v1/leads",
    description="People who showed interest, until sales takes them over",
)

_KNOWN = {
    "responses": {
        200: {
            "description": "It was captured before, or the person is a lead already: this is it",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LeadOut"}}},
        }
    }
}
_MERGED = {
    "responses": {
        307: {
            "description": "It was merged into the lead that Location names",
            "headers": {"Location": {"schema": {"type": "string"}, "required": True}},
        }
    }
}


@blueprint.get("", permission="lead.read")
@blueprint.arguments(LeadFilters, location="query")
@blueprint.page(LeadRow)
def list_leads(filters: dict[str, Any]) -> Page:
    """List leads."""
    return queries.list_leads(session(), principal(), filters)


@blueprint.post("", permission="lead.capture")
@blueprint.arguments(CaptureLead)
@blueprint.response(201, LeadOut)
@blueprint.doc(**_KNOWN)
def capture_lead(values: dict[str, Any]) -> Lead | Response:
    """Capture a lead. A worker judges and scores it; a hot one goes to sales by itself.

    The source `import` brings in history: it is judged and scored, and never goes to sales.
    """
    caller = principal()
    source = values["source"]
    if source == "import" and not caller.may("lead.import"):
        raise NotPermitted("To bring in history you need the permission lead.import.")
    scope = "import" if source == "import" else f"api:{caller.client_id}"
    captured = capturing.capture_lead(
        values,
        capturing.Arrival(scope, values.pop("submission_id", None)),
        unit_of_work(),
        behaviour_type=values.pop("behaviour_type"),
        occurred_at=values.pop("captured_at", None),
    )
    if captured.outcome == "created":
        return captured.lead
    return Response(
        json.dumps(LeadOut().dump(captured.lead)),
        content_type="application/json",
        headers={"ETag": f'"{captured.lead.version}"'},
    )


@blueprint.get("/<uuid:lead_id>", permission="lead.read")
@blueprint.response(200, LeadOut)
@blueprint.doc(**_MERGED)
def get_lead(lead_id: uuid.UUID) -> Lead | Response:
    """Read a lead with its verdict, what its score is made of, its log, and the verbs it allows."""
    lead = queries.get_lead(session(), principal(), lead_id)
    if lead.merged_into_id is not None:
        return Response(status=307, headers={"Location": f"{blueprint.url_prefix}/{lead.merged_into_id}"})
    return lead


@blueprint.get("/<uuid:lead_id>/duplicates", permission="lead.read")
@blueprint.response(200, Doubles)
def list_duplicates(lead_id: uuid.UUID) -> dict[str, Any]:
    """Leads that may be the same person, the surest first."""
    lead = queries.get_lead(session(), principal(), lead_id)
    return {"items": queries.doubles_of(session(), lead)}


@blueprint.post("/<uuid:lead_id>/behaviours", permission="lead.capture")
@blueprint.arguments(NoteBehaviour)
@blueprint.response(200, LeadOut)
def note_behaviour(command: dict[str, Any], lead_id: uuid.UUID) -> Lead:
    """Note what the person did; the score follows."""
    return capturing.note_behaviour(
        lead_id,
        command["type"],
        command["source_id"],
        command["occurred_at"],
        unit_of_work(),
        where=queries.visible_leads(principal(), "lead.capture"),
    )


@blueprint.post("/<uuid:lead_id>/override-verdict", permission="lead.judge", if_match=True)
@blueprint.arguments(OverrideVerdict)
@blueprint.response(200, LeadOut)
def override_verdict(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Judge by hand; the machine's verdict is kept beside."""
    return judging.override_verdict(
        lead_id,
        command["value"],
        command["reason"],
        principal().subject,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.judge"),
    )


@blueprint.post("/<uuid:lead_id>/qualify", permission="lead.qualify", if_match=True)
@blueprint.arguments(HandOver)
@blueprint.response(200, LeadOut)
def qualify_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Hand a lead to sales by hand."""
    return lead_handover.qualify_lead(
        lead_id,
        command,
        principal().subject,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.qualify"),
    )


@blueprint.post("/<uuid:lead_id>/assign", permission="lead.assign", if_match=True)
@blueprint.arguments(HandOver)
@blueprint.response(200, LeadOut)
def assign_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Hand a qualified lead to somebody else; earlier handovers are void."""
    return lead_handover.assign_lead(
        lead_id,
        command,
        principal().subject,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.assign"),
    )


@blueprint.post("/<uuid:lead_id>/disqualify", permission="lead.disqualify", if_match=True)
@blueprint.arguments(Reason)
@blueprint.response(200, LeadOut)
def disqualify_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Rule a lead out."""
    return use_cases.disqualify_lead(
        lead_id,
        command["reason"],
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.disqualify"),
    )


@blueprint.post("/<uuid:lead_id>/erase", permission="lead.erase", if_match=True)
@blueprint.response(200, LeadOut)
def erase_lead(lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Forget a person, for good.

    Names, addresses, numbers and what was sent in are blanked, of leads merged into this one too; sales and the archive
    do the same within seconds. Nothing brings it back. Where sales has made a contact of it, that is to be erased: the
    lead follows.
    """
    return use_cases.erase_lead(
        lead_id,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.erase"),
    )


@blueprint.post("/<uuid:lead_id>/reopen", permission="lead.disqualify", if_match=True)
@blueprint.arguments(Reason)
@blueprint.response(200, LeadOut)
def reopen_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Take a disqualified lead up again."""
    return judging.reopen_lead(
        lead_id,
        command["reason"],
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.disqualify"),
    )


@blueprint.post("/<uuid:lead_id>/merge", permission="lead.merge", if_match=True)
@blueprint.arguments(MergeLead)
@blueprint.response(200, LeadOut)
def merge_lead(command: dict[str, Any], lead_id: uuid.UUID, expected_version: int) -> Lead:
    """Merge two leads of one person; the answer is the one that goes on, whichever was named first."""
    return merge_leads(
        lead_id,
        command["lead_id"],
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_leads(principal(), "lead.merge"),
    )


@blueprint.post("/<uuid:lead_id>/dismiss-duplicate", permission="lead.merge")
@blueprint.arguments(DismissDuplicate)
@blueprint.response(200, LeadOut)
def dismiss_duplicate(command: dict[str, Any], lead_id: uuid.UUID) -> Lead:
    """Say that two leads are different people."""
    return use_cases.dismiss_duplicate(
        lead_id,
        command["lead_id"],
        unit_of_work(),
        where=queries.visible_leads(principal(), "lead.merge"),
    )
