"""Get and find assets."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from services.support.assets.model import Asset
from shared.db.repository import Repository

__all__ = ["Assets"]


class Assets(Repository[Asset]):
    """The assets of one session."""

    model = Asset

    def units_of_line(self, order_id: uuid.UUID, order_line_id: uuid.UUID) -> set[str]:
        """Unit keys of the line's assets."""
        query = select(Asset.unit_key).where(Asset.order_id == order_id, Asset.order_line_id == order_line_id)
        return {key for key in self.session.scalars(query) if key is not None}

    def with_serial(self, product_id: uuid.UUID, serial: str) -> Asset | None:
        """The product's asset with this serial number."""
        return self.session.scalar(
            select(Asset).where(Asset.product_id == product_id, Asset.serial == serial)
        )
