"""The asset aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.support.assets.events import AssetRegistered
from services.support.database import Base
from services.support.warranty import warranty_end
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["Asset"]


class Asset(AggregateRoot, Base):
    """One unit that a customer owns. States: in_transit, active, retired.

    `unit_key` names the unit within its order line (its serial, or its number in the sequence of shipped units), so
    that the same shipment heard twice registers nothing twice.
    """

    __tablename__ = "assets"
    AGGREGATE = "asset"

    product_id: Mapped[uuid.UUID]
    sku: Mapped[str | None]
    name: Mapped[str]
    serial: Mapped[str | None]
    status: Mapped[str]
    account_id: Mapped[uuid.UUID]
    contact_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    order_id: Mapped[uuid.UUID | None]
    order_line_id: Mapped[uuid.UUID | None]
    unit_key: Mapped[str | None]
    contract_id: Mapped[uuid.UUID | None]
    site: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    shipped_on: Mapped[date | None]
    warranty_months: Mapped[int]
    warranty_starts_on: Mapped[date | None]
    warranty_ends_on: Mapped[date | None]

    @classmethod
    def register(cls, values: Mapping[str, Any], now: datetime) -> Self:
        """A new asset; its warranty runs from the day it was shipped."""
        starts_on = values.get("shipped_on")
        months = values["warranty_months"]
        asset = cls(
            **values,
            warranty_starts_on=starts_on if months else None,
            warranty_ends_on=warranty_end(starts_on, months),
        )
        asset.record(
            AssetRegistered(
                asset_id=asset.id,
                product_id=asset.product_id,
                sku=asset.sku,
                name=asset.name,
                serial=asset.serial,
                status=asset.status,
                account_id=asset.account_id,
                contact_id=asset.contact_id,
                opportunity_id=asset.opportunity_id,
                order_id=asset.order_id,
                order_line_id=asset.order_line_id,
                contract_id=asset.contract_id,
                parent_id=None,
                site=asset.site,
                shipped_on=asset.shipped_on,
                warranty={
                    "starts_on": asset.warranty_starts_on,
                    "ends_on": asset.warranty_ends_on,
                    "starts_from": "ship",
                    "months": asset.warranty_months,
                },
                registered_at=now,
            )
        )
        return asset

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return ["retire"] if self.status != "retired" else []

    def retire(self) -> None:
        """It is no longer in use. Raises IllegalState."""
        if self.status == "retired":
            raise IllegalState("The asset is retired already.", state=self.status, allowed=self.allowed)
        self.status = "retired"
