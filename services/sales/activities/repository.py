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

    def with_contact(self, contact_id: uuid.UUID) -> Sequence[Activity]:
        """Those about a contact, and those it takes part in."""
        takes_part = Activity.participants.contains([{"type": "contact", "id": str(contact_id)}])
        query = select(Activity).where(or_(Activity.contact_id == contact_id, takes_part))
        return self.session.scalars(query.order_by(Activity.id)).all()
