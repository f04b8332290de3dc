"""Get cases and number new ones."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select, text

from services.support.case_number import case_number
from services.support.cases.model import Case
from shared.db.repository import Repository

__all__ = ["Cases"]


class Cases(Repository[Case]):
    """The cases of one session."""

    model = Case

    def next_number(self) -> str:
        """A number that nobody has; gaps are possible."""
        counter: int = self.session.execute(text("SELECT nextval('case_numbers')")).scalar_one()
        return case_number(counter)

    def of_contact(self, contact_id: uuid.UUID) -> Sequence[Case]:
        """The cases of one person."""
        return self.session.scalars(select(Case).where(Case.contact_id == contact_id).order_by(Case.id)).all()
