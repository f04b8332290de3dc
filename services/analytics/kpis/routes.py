"""Key figures over HTTP."""

from __future__ import annotations

from typing import Any

from services.analytics.kpis import queries
from services.analytics.kpis.definitions import DIMENSIONS, KPIS, Kpi
from services.analytics.kpis.schemas import KpiList, KpiValues, OrderSummary, PipelineSummary, ValueFilters
from services.analytics.processes.answers import answered, asked, freshness
from shared.web import Blueprint, principal, session

__all__ = ["blueprint"]

blueprint = Blueprint("kpis", __name__, url_prefix="/v1", description="Key figures and their definitions")


def _defined(kpi: Kpi) -> dict[str, Any]:
    return {
        "name": kpi.name,
        "label": kpi.label,
        "unit": kpi.unit,
        "definition": kpi.definition,
        "formula": kpi.formula,
        "additivity": kpi.family.additivity,
        "direction": kpi.direction,
        "dimensions": [{"name": name, "definition": DIMENSIONS[name]} for name in kpi.family.dimensions],
    }


@blueprint.get("/kpis", permission="kpi.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(KpiList))
def list_kpis(arguments: dict[str, Any]) -> dict[str, Any]:
    """List the key figures with their definitions."""
    fresh = freshness(arguments, "opportunities", "orders", "dimensions")
    return {"items": [_defined(kpi) for kpi in KPIS.values()], **fresh}


@blueprint.get("/kpis/<name>/values", permission="kpi.read")
@blueprint.arguments(asked(ValueFilters), location="query")
@blueprint.response(200, answered(KpiValues))
def get_values(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Compute a key figure: over time by `grain`, cut `by` a dimension, over what the caller may see."""
    kpi = queries.kpi_of(name)
    fresh = freshness(arguments, kpi.family.projection, "dimensions")
    found = queries.values(session(), principal(), kpi, arguments, fresh["as_of"])
    return {**_defined(kpi), "grain": arguments.get("grain"), "by": arguments.get("by"), **found, **fresh}


@blueprint.get("/pipeline-summary", permission="kpi.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(PipelineSummary))
def get_pipeline_summary(arguments: dict[str, Any]) -> dict[str, Any]:
    """Show the open deals by stage, and what was won and lost."""
    fresh = freshness(arguments, "opportunities", "dimensions")
    return {**queries.pipeline_summary(session(), principal()), **fresh}


@blueprint.get("/order-summary", permission="kpi.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(OrderSummary))
def get_order_summary(arguments: dict[str, Any]) -> dict[str, Any]:
    """Show in which states orders, contracts and work orders are."""
    fresh = freshness(arguments, "orders", "service_work", "dimensions")
    return {**queries.order_summary(session(), principal()), **fresh}
