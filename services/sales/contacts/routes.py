"""Contacts over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.contacts import queries
from services.sales.contacts.schemas import (
    ContactFilters,
    ContactOut,
    ContactRow,
    CreateContact,
    EditContact,
    ErasureOut,
)
from services.sales.processes import erase_person, file_contact
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.contacts.model import Contact

__all__ = ["blueprint"]

blueprint = Blueprint("contacts", __name__, url_prefix="/v1/contacts", description="The people at accounts")


@blueprint.get("", permission="contact.read")
@blueprint.arguments(ContactFilters, location="query")
@blueprint.page(ContactRow)
def list_contacts(filters: dict[str, Any]) -> Page:
    """List contacts."""
    return queries.list_contacts(session(), principal(), filters)


@blueprint.post("", permission="contact.create")
@blueprint.arguments(CreateContact)
@blueprint.response(201, ContactOut)
def create_contact(values: dict[str, Any]) -> Contact:
    """Create a contact."""
    values.setdefault("owner_id", principal().user_id)
    return file_contact.create_contact(values, unit_of_work())


@blueprint.get("/<uuid:contact_id>", permission="contact.read")
@blueprint.response(200, ContactOut)
def get_contact(contact_id: uuid.UUID) -> Contact:
    """Read a contact."""
    return queries.get_contact(session(), principal(), contact_id)


@blueprint.patch("/<uuid:contact_id>", permission="contact.edit")
@blueprint.arguments(EditContact)
@blueprint.response(200, ContactOut)
def edit_contact(changes: dict[str, Any], contact_id: uuid.UUID, expected_version: int) -> Contact:
    """Change a contact."""
    return file_contact.change_contact(
        contact_id,
        changes,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_contacts(principal(), "contact.edit"),
    )


@blueprint.post("/<uuid:contact_id>/erase", permission="contact.erase", if_match=True)
@blueprint.response(200, ErasureOut)
def erase_contact(contact_id: uuid.UUID, expected_version: int) -> erase_person.Erasure:
    """Forget a person, for good.

    Names, addresses and numbers of the contact and the words of its activities are blanked; the other services and the
    archive do the same within seconds. Quotes that name the person are kept and told in the answer. Nothing brings it
    back.
    """
    return erase_person.erase_contact(
        contact_id,
        unit_of_work(),
        expected_version=expected_version,
        where=queries.visible_contacts(principal(), "contact.erase"),
    )
