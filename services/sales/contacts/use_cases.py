"""Create and change contacts. Whoever calls has made sure that the account is live:
`processes/file_contact.py` does."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.contacts.errors import ContactExists
from services.sales.contacts.model import Contact
from services.sales.contacts.repository import Contacts
from shared.db.unit_of_work import UnitOfWork

__all__ = ["create_contact", "edit_contact"]


def create_contact(values: Mapping[str, Any], uow: UnitOfWork) -> Contact:
    """Create a contact. Raises ContactExists, NameNeeded."""
    with uow:
        contacts = Contacts(uow.session)
        external_id = values.get("external_id")
        if external_id is not None and contacts.with_external_id(external_id) is not None:
            raise ContactExists(f"A contact with the external id {external_id} exists. Edit that one.")
        return contacts.add(Contact.create(values, origin="user", now=uow.clock.now()))


def edit_contact(
    contact_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Contact:
    """Change fields of a contact. Raises NotFound, Stale, ContactNotLive, NameNeeded."""
    with uow:
        contact = Contacts(uow.session).get(contact_id, expected_version=expected_version, where=where)
        contact.edit(changes, origin="user", now=uow.clock.now())
        return contact
