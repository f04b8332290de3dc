"""Get and find contacts."""

from __future__ import annotations

from sqlalchemy import select

from services.sales.contacts.model import Contact
from shared.db.repository import Repository

__all__ = ["Contacts"]


class Contacts(Repository[Contact]):
    """The contacts of one session."""

    model = Contact

    def with_external_id(self, external_id: str) -> Contact | None:
        """The contact that an import knows as `external_id`."""
        return self.session.scalar(select(Contact).where(Contact.external_id == external_id))
