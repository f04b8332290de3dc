"""Exchange rates over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.identity.exchange_rates import queries
from services.identity.exchange_rates.schemas import PublishRate, RateFilters, RateOut
from services.identity.processes.publish_rate import publish_rate as publish
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.exchange_rates.model import PublishedRate

__all__ = ["blueprint"]

blueprint = Blueprint(
    "exchange_rates", __name__, url_prefix="/v1/exchange-rates", description="Rates against the base currency"
)


@blueprint.get("", permission="organisation.read")
@blueprint.arguments(RateFilters, location="query")
@blueprint.page(RateOut)
def list_rates(filters: dict[str, Any]) -> Page:
    """List published rates. Of several for one day the last published counts."""
    return queries.list_rates(session(), filters)


@blueprint.post("", permission="organisation.edit")
@blueprint.arguments(PublishRate)
@blueprint.response(201, RateOut)
def publish_rate(values: dict[str, Any]) -> PublishedRate:
    """Publish a rate."""
    return publish(values, unit_of_work())


@blueprint.get("/<uuid:rate_id>", permission="organisation.read")
@blueprint.response(200, RateOut)
def get_rate(rate_id: uuid.UUID) -> PublishedRate:
    """Read a published rate."""
    return queries.get_rate(session(), rate_id)
