"""Facts about assets."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.kernel.events import Event

__all__ = ["AssetRegistered"]


@dataclass(frozen=True)
class AssetRegistered(Event):
    TYPE = "crm.support.asset.registered.v1"

    asset_id: uuid.UUID
    product_id: uuid.UUID
    sku: str | None
    name: str
    serial: str | None
    status: str
    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    order_id: uuid.UUID | None
    order_line_id: uuid.UUID | None
    contract_id: uuid.UUID | None
    parent_id: uuid.UUID | None
    site: dict[str, Any] | None
    shipped_on: date | None
    warranty: dict[str, Any]
    registered_at: datetime
