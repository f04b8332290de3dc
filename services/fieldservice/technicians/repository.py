"""Get and find technicians."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select, text

from services.fieldservice.technicians.model import Technician
from shared.access.tables import PRINCIPALS
from shared.db.repository import Repository

__all__ = ["Technicians"]


class Technicians(Repository[Technician]):
    """The technicians of one session."""

    model = Technician

    def next_no(self) -> int:
        """A number that nobody has; gaps are possible."""
        return int(self.session.scalars(text("SELECT nextval('technician_numbers')")).one())

    def of_user(self, user_id: uuid.UUID) -> Technician | None:
        """The technician that a user is, locked."""
        return self.session.scalar(select(Technician).where(Technician.user_id == user_id).with_for_update())

    def of_ids(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Technician]:
        """Those of the technicians that exist, by id."""
        found = self.session.scalars(select(Technician).where(Technician.id.in_(ids)))
        return {technician.id: technician for technician in found}

    def user(self, user_id: uuid.UUID) -> Row[Any] | None:
        """The local copy of a user."""
        mine = (PRINCIPALS.c.id == user_id) & (PRINCIPALS.c.kind == "staff")
        return self.session.execute(select(PRINCIPALS).where(mine)).first()
