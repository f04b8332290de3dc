"""Forget a person: the contact, and what was written about it. Other services and the archive follow on hearing so."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement

from services.sales.activities.repository import Activities
from services.sales.contacts.model import Contact
from services.sales.contacts.repository import Contacts
from services.sales.leads.repository import Leads
from services.sales.quotes.repository import Quotes
from shared.db.unit_of_work import UnitOfWork

__all__ = ["Erasure", "erase_contact"]


@dataclass(frozen=True)
class Erasure:
    """What was blanked, and which documents still name the person because the law has them kept."""

    contact: Contact
    erased_activities: int
    kept_quotes: Sequence[str]


def erase_contact(
    contact_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Erasure:
    """Blank a contact and its activities for good; what was planned with it is called off. Raises NotFound, Stale."""
    with uow:
        now = uow.clock.now()
        contact = Contacts(uow.session).get(contact_id, expected_version=expected_version, where=where)
        contact.erase(Leads(uow.session).ids_of_contact(contact.id), now)
        activities = Activities(uow.session).with_contact(contact.id)
        for activity in activities:
            if activity.contact_id == contact.id and "cancel" in activity.allowed:
                activity.cancel("The contact was erased.", now)
            activity.erase(now)
        return Erasure(contact, len(activities), Quotes(uow.session).numbers_sent_to(contact.id))
