"""Forget a person: the contact or the lead, and what was written about it. Other services and the archive follow on
hearing so."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement

from services.sales.accounts.repository import Accounts
from services.sales.activities.repository import Activities
from services.sales.contacts.model import Contact
from services.sales.contacts.repository import Contacts
from services.sales.leads.repository import Leads
from services.sales.quotes.repository import Quotes
from shared.db.unit_of_work import UnitOfWork

__all__ = ["Erasure", "erase_contact", "erase_lead"]


@dataclass(frozen=True)
class Erasure:
    """What was blanked; which documents still name the person because they are to be kept; and whether the account is
    called like the person, which somebody has to look at."""

    contact: Contact
    erased_activities: int
    kept_quotes: Sequence[str]
    account_bears_name: bool


def erase_contact(
    contact_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Erasure:
    """Blank a contact and its activities for good; what was planned about it is called off. Raises NotFound, Stale."""
    with uow:
        contact = Contacts(uow.session).get(contact_id, expected_version=expected_version, where=where)
        addresses = [email["address"] for email in contact.emails]
        quotes = Quotes(uow.session).numbers_naming(contact.id, addresses)
        bears_name = _account_bears_name(contact, addresses, uow)
        contact.erase(Leads(uow.session).ids_of_contact(contact.id), uow.clock.now())
        return Erasure(contact, _erase_activities("contact", contact.id, uow), quotes, bears_name)


def erase_lead(lead_id: uuid.UUID, uow: UnitOfWork) -> None:
    """Marketing has forgotten the person of a lead; one that never came here needs nothing."""
    lead = Leads(uow.session).find(lead_id, lock=True)
    if lead is not None:
        lead.erase(uow.clock.now())
        _erase_activities("lead", lead.id, uow)


def _erase_activities(noun: str, record_id: uuid.UUID, uow: UnitOfWork) -> int:
    activities = Activities(uow.session).about(noun, record_id)
    now = uow.clock.now()
    for activity in activities:
        activity.erase(now)
        if getattr(activity, f"{noun}_id") == record_id and "cancel" in activity.allowed:
            activity.cancel(f"The {noun} was erased.", now)
    return len(activities)


def _account_bears_name(contact: Contact, addresses: Sequence[str], uow: UnitOfWork) -> bool:
    """Whether the account is the person: accepting a lead without a company makes such a one."""
    if contact.account_id is None:
        return False
    person = " ".join(filter(None, (contact.given_name, contact.family_name)))
    name = Accounts(uow.session).get(contact.account_id).name.casefold()
    return name in {person.casefold(), *(address.casefold() for address in addresses)}
