"""The demo ERP over HTTP: what it holds, and how it is told to behave."""

from __future__ import annotations

from typing import Any

from flask import current_app

from services.erp.demo_erp import queries, use_cases
from services.erp.demo_erp.errors import OnlyForTrials
from services.erp.demo_erp.schemas import AddScript, DocumentFilters, DocumentRow, ScriptOut
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

__all__ = ["blueprint"]

blueprint = Blueprint(
    "demo_erp",
    __name__,
    url_prefix="/v1/demo-erp",
    description="The ERP that comes with the suite, for trials",
)


@blueprint.get("/documents", permission="demo_erp.read")
@blueprint.arguments(DocumentFilters, location="query")
@blueprint.page(DocumentRow)
def list_documents(filters: dict[str, Any]) -> Page:
    """List what the demo ERP holds, to prove that every order is there exactly once."""
    return queries.list_documents(session(), filters)


@blueprint.get("/scripts", permission="demo_erp.read")
@blueprint.page(ScriptOut)
def list_scripts(page: dict[str, Any]) -> Page:
    """List the scripts."""
    return queries.list_scripts(session(), page)


@blueprint.post("/scripts", permission="demo_erp.script")
@blueprint.arguments(AddScript)
@blueprint.response(201, ScriptOut)
def add_script(values: dict[str, Any]) -> Any:
    """Tell the demo ERP how to treat certain orders: refuse them, be slow, fail after the commit, ..."""
    _require_trial()
    return use_cases.add_script(values, unit_of_work())


@blueprint.delete("/scripts/<int:script_id>", permission="demo_erp.script", if_match=False)
@blueprint.response(204)
def forget_script(script_id: int) -> None:
    """Take a script back."""
    _require_trial()
    use_cases.forget_script(script_id, unit_of_work())


def _require_trial() -> None:
    if current_app.config["ENVIRONMENT"] == "production":
        raise OnlyForTrials("This suite is in production: its demo ERP takes no scripts.")
