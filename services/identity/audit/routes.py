"""The audit log over HTTP."""

from __future__ import annotations

from typing import Any

from services.identity.audit import queries
from services.identity.audit.schemas import AuditEntry, AuditFilters, AuditVerdict
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

__all__ = ["blueprint"]

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="Who did what")


@blueprint.get("", permission="audit.read")
@blueprint.arguments(AuditFilters, location="query")
@blueprint.page(AuditEntry)
def list_entries(filters: dict[str, Any]) -> Page:
    """List entries."""
    return queries.list_entries(session(), filters)


@blueprint.get("/verify", permission="audit.read")
@blueprint.response(200, AuditVerdict)
def verify_log() -> dict[str, Any]:
    """Check that no entry was altered or removed."""
    return queries.verify_log(unit_of_work().session)
