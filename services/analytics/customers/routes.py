"""Customers over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

from services.analytics.customers import queries
from services.analytics.customers.schemas import TimelineEntry, TimelineFilters
from services.analytics.processes.answers import asked, freshness, go_on, page_of, place
from shared.web import Blueprint, principal, session

__all__ = ["blueprint"]

blueprint = Blueprint(
    "customers", __name__, url_prefix="/v1/customers", description="What happened around customers"
)


@blueprint.get("/<uuid:customer_id>/timeline", permission="customer.read")
@blueprint.arguments(asked(TimelineFilters, paged=True), location="query")
@blueprint.response(200, page_of(TimelineEntry))
def list_timeline(filters: dict[str, Any], customer_id: uuid.UUID) -> dict[str, Any]:
    """List what happened around a customer in all services, newest first."""
    fresh = freshness(filters, "timeline", "dimensions")
    items, last = queries.timeline(session(), principal(), customer_id, filters, place(filters))
    return {"items": items, "next": go_on(last), **fresh}
