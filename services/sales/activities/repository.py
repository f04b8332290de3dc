"""Get activities."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import or_, select

from services.sales.activities.model import Activity
from shared.db.repository import Repository

__all__ = ["Activities"]


class Activities(Repository[Activity]):
    """The activities of one session."""

    model = Activity

    def about(self, noun: str, record_id: uuid.UUID) -> Sequence[Activity]:
        """Those that regard a contact or a lead, and those it takes part in."""
        named = [{"type": noun, "id": str(record_id)}]
        query = select(Activity).where(
            or_(Activity.regarding.contains(named), Activity.participants.contains(named))
        )
        return self.session.scalars(query.order_by(Activity.id)).all()
