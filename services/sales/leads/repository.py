"""Get leads."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select

from services.sales.leads.model import Lead
from shared.db.repository import Repository

__all__ = ["Leads"]


class Leads(Repository[Lead]):
    """The leads of one session."""

    model = Lead

    def ids_of_contact(self, contact_id: uuid.UUID) -> Sequence[uuid.UUID]:
        """The leads that became a contact."""
        return self.session.scalars(
            select(Lead.id).where(Lead.contact_id == contact_id).order_by(Lead.id)
        ).all()
