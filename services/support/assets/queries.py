"""Read assets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.support.assets.model import Asset
from services.support.assets.repository import Assets
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_asset", "list_assets", "visible_assets"]

_ASSETS = Listing(
    select(
        Asset.id,
        Asset.version,
        Asset.product_id,
        Asset.sku,
        Asset.name,
        Asset.serial,
        Asset.status,
        Asset.account_id,
        Asset.contact_id,
        Asset.order_id,
        Asset.shipped_on,
        Asset.warranty_starts_on,
        Asset.warranty_ends_on,
        Asset.created_at,
        Asset.updated_at,
    ),
    key=Asset.id,
    filters={
        "account_id": equals(Asset.account_id),
        "order_id": equals(Asset.order_id),
        "product_id": equals(Asset.product_id),
        "serial": equals(Asset.serial),
        "status": equals(Asset.status),
        "ids": one_of(Asset.id),
    },
    sorts={"created_at": Asset.created_at, "name": Asset.name},
)


def visible_assets(principal: Principal, permission: str = "asset.read") -> ColumnElement[bool]:
    """The assets that `principal` may use with `permission`; nobody of the staff owns one."""
    return reach_filter(
        principal, permission, owner=Asset.contact_id, account=Asset.account_id, contact=Asset.contact_id
    )


def list_assets(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of assets."""
    return _ASSETS.page(session, arguments, visible_assets(principal))


def get_asset(session: Session, principal: Principal, asset_id: uuid.UUID) -> Asset:
    """One asset in full. Raises NotFound, also for what the caller may not see."""
    return Assets(session).get(asset_id, where=visible_assets(principal))
