"""Get and find orders."""

from __future__ import annotations

import uuid

from sqlalchemy import select, text

from services.sales.orders.model import Order
from shared.db.repository import Repository

__all__ = ["Orders"]


class Orders(Repository[Order]):
    """The orders of one session."""

    model = Order

    def next_number(self, year: int) -> str:
        """A number that nobody has, such as `O-2026-000123`; gaps are possible."""
        number = self.session.scalar(text("SELECT nextval('order_numbers')"))
        return f"O-{year}-{number:06d}"

    def last_of(self, opportunity_id: uuid.UUID) -> Order | None:
        """The deal's order: a deal has at most one that stands, a reopened one may have had others."""
        query = select(Order).where(Order.opportunity_id == opportunity_id).order_by(Order.created_at.desc())
        return self.session.scalars(query.limit(1)).first()
