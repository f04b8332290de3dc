"""Cases over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.support.cases import queries, use_cases
from services.support.cases.schemas import (
    AssignCase,
    CancelCase,
    CaseFilters,
    CaseOut,
    CaseRow,
    OpenCase,
    ReopenCase,
    ResolveCase,
    WaitFor,
)
from services.support.processes import open_case as opening
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from services.support.cases.model import Case

__all__ = ["blueprint"]

blueprint = Blueprint("cases", __name__, url_prefix="/v1/cases", description="Customers' trouble")


def _editable() -> ColumnElement[bool]:
    return queries.visible_cases(principal(), "case.edit")


@blueprint.get("", permission="case.read")
@blueprint.arguments(CaseFilters, location="query")
@blueprint.page(CaseRow)
def list_cases(filters: dict[str, Any]) -> Page:
    """List cases."""
    return queries.list_cases(session(), principal(), filters)


@blueprint.post("", permission="case.create")
@blueprint.arguments(OpenCase)
@blueprint.response(201, CaseOut)
def open_case(values: dict[str, Any]) -> Case:
    """Open a case; against an asset it shows its cover."""
    caller = principal()
    if caller.kind == "portal":
        values |= {"account_id": caller.account_id, "contact_id": caller.contact_id, "channel": "portal"}
        values["owner_id"] = None
    return opening.open_case(values, caller, unit_of_work())


@blueprint.get("/<uuid:case_id>", permission="case.read")
@blueprint.response(200, CaseOut)
def get_case(case_id: uuid.UUID) -> Case:
    """Read a case."""
    return queries.get_case(session(), principal(), case_id)


@blueprint.post("/<uuid:case_id>/assign", permission="case.edit", if_match=True)
@blueprint.arguments(AssignCase)
@blueprint.response(200, CaseOut)
def assign_case(command: dict[str, Any], case_id: uuid.UUID, expected_version: int) -> Case:
    """Give a case to somebody."""
    return use_cases.assign_case(
        case_id,
        command["owner_id"],
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/wait", permission="case.edit", if_match=True)
@blueprint.arguments(WaitFor)
@blueprint.response(200, CaseOut)
def wait_for(command: dict[str, Any], case_id: uuid.UUID, expected_version: int) -> Case:
    """Wait for somebody; with a time the case resumes by itself."""
    return use_cases.wait_for(
        case_id,
        command["waits_for"],
        command["wake_at"],
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/resume", permission="case.edit", if_match=True)
@blueprint.response(200, CaseOut)
def resume_case(case_id: uuid.UUID, expected_version: int) -> Case:
    """Work goes on."""
    return use_cases.resume_case(
        case_id,
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/resolve", permission="case.edit", if_match=True)
@blueprint.arguments(ResolveCase)
@blueprint.response(200, CaseOut)
def resolve_case(command: dict[str, Any], case_id: uuid.UUID, expected_version: int) -> Case:
    """The trouble is gone."""
    return use_cases.resolve_case(
        case_id,
        command["outcome"],
        command["answer"],
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/close", permission="case.edit", if_match=True)
@blueprint.response(200, CaseOut)
def close_case(case_id: uuid.UUID, expected_version: int) -> Case:
    """The customer agrees."""
    return use_cases.close_case(
        case_id,
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/cancel", permission="case.edit", if_match=True)
@blueprint.arguments(CancelCase)
@blueprint.response(200, CaseOut)
def cancel_case(command: dict[str, Any], case_id: uuid.UUID, expected_version: int) -> Case:
    """It was no case."""
    return use_cases.cancel_case(
        case_id,
        command["outcome"],
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )


@blueprint.post("/<uuid:case_id>/reopen", permission="case.edit", if_match=True)
@blueprint.arguments(ReopenCase)
@blueprint.response(200, CaseOut)
def reopen_case(command: dict[str, Any], case_id: uuid.UUID, expected_version: int) -> Case:
    """The trouble is back."""
    return use_cases.reopen_case(
        case_id,
        command["note"],
        unit_of_work(),
        expected_version=expected_version,
        where=_editable(),
    )
