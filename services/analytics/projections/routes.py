"""Projections over HTTP."""

from __future__ import annotations

from typing import Any

from services.analytics.facts import PROJECTIONS
from services.analytics.processes.answers import answered, asked, freshness
from services.analytics.processes.projecting import retry_blocked_key, skip_blocked_fact
from services.analytics.projections import queries, use_cases
from services.analytics.projections.schemas import (
    BlockedKeys,
    ProjectionDetail,
    ProjectionList,
    RunOut,
    SkipFact,
    Unblocked,
)
from shared.web import Blueprint, session, unit_of_work

__all__ = ["blueprint"]

blueprint = Blueprint(
    "projections",
    __name__,
    url_prefix="/v1/projections",
    description="Tables that follow from the archive, and how far they have read it",
)


def _rows(head: dict[str, Any], name: str | None = None) -> list[dict[str, Any]]:
    return [
        {
            **run,
            "head": head["position"],
            "lag_positions": head["position"] - run["watermark"],
            "lag_seconds": freshness({}, run["name"])["lag_seconds"] if run["state"] == "live" else None,
        }
        for run in queries.projection_runs(session(), name)
    ]


@blueprint.get("", permission="projection.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(ProjectionList))
def list_projections(arguments: dict[str, Any]) -> dict[str, Any]:
    """List projections: how far each has read, how far it is behind, what is blocked."""
    fresh = freshness(arguments, *PROJECTIONS)
    return {"items": _rows(freshness({})), **fresh}


@blueprint.get("/<name>", permission="projection.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(ProjectionDetail))
def get_projection(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Read a projection, with the digest of its tables as they are now."""
    tables = use_cases.known(PROJECTIONS, name).tables
    fresh = freshness(arguments, name)
    runs = _rows(freshness({}), name)
    return {"runs": runs, "tables": queries.live_digest(session(), tables), **fresh}


@blueprint.post("/<name>/rebuild", permission="projection.operate")
@blueprint.response(202, RunOut)
def rebuild_projection(name: str) -> Any:
    """Build a projection again from the first archived fact, beside the live one; it takes its place when
    both have the same digest."""
    return use_cases.rebuild(PROJECTIONS, name, unit_of_work())


@blueprint.get("/<name>/blocked-keys", permission="projection.read")
@blueprint.arguments(asked(), location="query")
@blueprint.response(200, answered(BlockedKeys))
def list_blocked_keys(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """List the keys that wait behind a fact that could not be applied, and the facts left out by people."""
    use_cases.known(PROJECTIONS, name)
    fresh = freshness(arguments, name)
    return {
        "items": queries.blocked_keys(session(), name),
        "skipped": queries.skipped_facts(session(), name),
        **fresh,
    }


@blueprint.post("/<name>/blocked-keys/<path:key>/retry", permission="projection.operate")
@blueprint.response(200, Unblocked)
def retry_key(name: str, key: str) -> dict[str, Any]:
    """Apply what waits behind a blocked key again."""
    applied = retry_blocked_key(name, key, unit_of_work())
    return {"applied": applied, "items": _still_blocked(name, key)}


@blueprint.post("/<name>/blocked-keys/<path:key>/skip", permission="projection.operate")
@blueprint.arguments(SkipFact)
@blueprint.response(200, Unblocked)
def skip_key(body: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """Leave out the fact that blocks a key, now and in every rebuild, and apply what waits behind it."""
    applied = skip_blocked_fact(name, key, body["reason"], unit_of_work())
    return {"applied": applied, "items": _still_blocked(name, key)}


def _still_blocked(name: str, key: str) -> list[dict[str, Any]]:
    return [row for row in queries.blocked_keys(session(), name) if row["key"] == key]
