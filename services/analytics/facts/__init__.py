"""From archived facts to rows of the star schema: pure functions, a module per projection."""

from __future__ import annotations

from services.analytics.facts.dimensions import DIMENSIONS
from services.analytics.facts.opportunities import OPPORTUNITIES
from services.analytics.facts.orders import ORDERS
from services.analytics.facts.service_work import SERVICE_WORK
from services.analytics.facts.timeline import TIMELINE
from services.analytics.projection import Projection

__all__ = ["PROJECTIONS"]

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection for projection in (DIMENSIONS, TIMELINE, OPPORTUNITIES, ORDERS, SERVICE_WORK)
}
"""Every projection by name."""
