"""Read contacts, and find those that may be the same person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from services.sales.contacts.model import Contact
from services.sales.contacts.repository import Contacts
from services.sales.matching import CONTACT_CANDIDATE, contact_score, fold_person
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["find_duplicates", "get_contact", "list_contacts", "visible_contacts"]

_AT_MOST = 20


def _has_email(address: str) -> ColumnElement[bool]:
    return Contact.emails.contains([{"address": address}])


def _has_phone(number: str) -> ColumnElement[bool]:
    return Contact.phones.contains([{"number": number}])


_CONTACTS = Listing(
    select(
        Contact.id,
        Contact.version,
        Contact.given_name,
        Contact.family_name,
        Contact.title,
        Contact.account_id,
        Contact.owner_id,
        Contact.status,
        Contact.emails,
        Contact.phones,
        Contact.language,
        Contact.do_not_call,
        Contact.created_at,
        Contact.updated_at,
    ),
    key=Contact.id,
    filters={
        "account_id": equals(Contact.account_id),
        "owner_id": equals(Contact.owner_id),
        "status": equals(Contact.status),
        "external_id": equals(Contact.external_id),
        "email": _has_email,
        "phone": _has_phone,
        "ids": one_of(Contact.id),
        "q": lambda text: Contact.folded_name.contains(fold_person(text), autoescape=True),
    },
    sorts={"name": Contact.folded_name, "created_at": Contact.created_at},
    default_sort="name",
)


def visible_contacts(principal: Principal, permission: str = "contact.read") -> ColumnElement[bool]:
    """The contacts that `principal` may use with `permission`."""
    return reach_filter(
        principal, permission, owner=Contact.owner_id, account=Contact.account_id, contact=Contact.id
    )


def list_contacts(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of contacts."""
    return _CONTACTS.page(session, arguments, visible_contacts(principal))


def get_contact(session: Session, principal: Principal, contact_id: uuid.UUID) -> Contact:
    """One contact in full. Raises NotFound, also for what the caller may not see."""
    return Contacts(session).get(contact_id, where=visible_contacts(principal))


def find_duplicates(
    session: Session, values: Mapping[str, Any], account_id: uuid.UUID | None
) -> list[dict[str, Any]]:
    """Live contacts that may be the person of `values` (as for a new contact): {id, name, score}, likeliest first."""
    name = fold_person(values.get("given_name"), values.get("family_name"))
    similarity = func.similarity(Contact.folded_name, name)
    same_email = or_(false(), *(_has_email(email["address"]) for email in values.get("emails") or ()))
    same_phone = or_(false(), *(_has_phone(phone["number"]) for phone in values.get("phones") or ()))
    query = select(
        Contact.id,
        func.concat_ws(" ", Contact.given_name, Contact.family_name).label("name"),
        Contact.account_id,
        similarity.label("similarity"),
        same_email.label("same_email"),
        same_phone.label("same_phone"),
    ).where(Contact.status == "live", or_(Contact.folded_name.op("%")(name), same_email, same_phone))
    found = [
        {
            "id": row.id,
            "name": row.name,
            "score": contact_score(
                row.similarity,
                same_email=row.same_email,
                same_phone=row.same_phone,
                same_account=account_id is not None and row.account_id == account_id,
            ),
        }
        for row in session.execute(query)
    ]
    likely = [candidate for candidate in found if candidate["score"] >= CONTACT_CANDIDATE]
    return sorted(likely, key=lambda candidate: (-candidate["score"], candidate["name"]))[:_AT_MOST]
