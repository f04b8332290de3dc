"""Assets over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.support.assets import queries, use_cases
from services.support.assets.schemas import (
    AssetFilters,
    AssetOut,
    AssetRow,
    CoverageFilters,
    CoverOut,
    RegisterAsset,
)
from services.support.processes.asset_cover import asset_cover
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.support.assets.model import Asset

__all__ = ["blueprint"]

blueprint = Blueprint(
    "assets", __name__, url_prefix="/v1/assets", description="What customers own, and its warranty"
)


@blueprint.get("", permission="asset.read")
@blueprint.arguments(AssetFilters, location="query")
@blueprint.page(AssetRow)
def list_assets(filters: dict[str, Any]) -> Page:
    """List assets."""
    return queries.list_assets(session(), principal(), filters)


@blueprint.post("", permission="asset.register")
@blueprint.arguments(RegisterAsset)
@blueprint.response(201, AssetOut)
def register_asset(values: dict[str, Any]) -> Asset:
    """Register what a customer owns by hand."""
    return use_cases.register_asset(values, unit_of_work())


@blueprint.get("/<uuid:asset_id>", permission="asset.read")
@blueprint.response(200, AssetOut)
def get_asset(asset_id: uuid.UUID) -> Asset:
    """Read an asset."""
    return queries.get_asset(session(), principal(), asset_id)


@blueprint.get("/<uuid:asset_id>/coverage", permission="asset.read")
@blueprint.arguments(CoverageFilters, location="query")
@blueprint.response(200, CoverOut)
def get_coverage(filters: dict[str, Any], asset_id: uuid.UUID) -> dict[str, Any]:
    """Who pays if it fails on that day."""
    asset = queries.get_asset(session(), principal(), asset_id)
    return asset_cover(session(), asset, filters.get("reported_at") or datetime.now(UTC))


@blueprint.post("/<uuid:asset_id>/retire", permission="asset.register", if_match=True)
@blueprint.response(200, AssetOut)
def retire_asset(asset_id: uuid.UUID, expected_version: int) -> Asset:
    """Take an asset out of use."""
    return use_cases.retire_asset(asset_id, unit_of_work(), expected_version=expected_version)
