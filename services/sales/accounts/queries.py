"""Read accounts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from services.sales.accounts.model import Account, domain_of
from services.sales.accounts.repository import Accounts
from services.sales.matching import ACCOUNT_CANDIDATE, account_score, fold_company
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["find_duplicates", "get_account", "list_accounts", "visible_accounts"]

_AT_MOST = 20

_LISTED = (
    Account.id,
    Account.version,
    Account.name,
    Account.kind,
    Account.status,
    Account.parent_id,
    Account.owner_id,
    Account.industry,
    Account.employee_count,
    Account.website,
    Account.domain,
    Account.phone,
    Account.currency,
    Account.erp_number,
    Account.external_id,
    Account.created_at,
    Account.updated_at,
)


def _matches(text: str) -> ColumnElement[bool]:
    """Type-ahead: part of the name, or the beginning of the domain, phone, tax id or ERP number."""
    starts = (Account.domain, Account.phone, Account.tax_id, Account.erp_number)
    return or_(
        Account.name.icontains(text, autoescape=True),
        *(column.istartswith(text, autoescape=True) for column in starts),
    )


_ACCOUNTS = Listing(
    select(*_LISTED),
    key=Account.id,
    filters={
        "kind": equals(Account.kind),
        "status": equals(Account.status),
        "owner_id": equals(Account.owner_id),
        "parent_id": equals(Account.parent_id),
        "external_id": equals(Account.external_id),
        "name": equals(Account.name),
        "ids": one_of(Account.id),
        "q": _matches,
    },
    sorts={"name": Account.name, "created_at": Account.created_at},
    default_sort="name",
)


def visible_accounts(principal: Principal, permission: str = "account.read") -> ColumnElement[bool]:
    """The accounts that `principal` may use with `permission`."""
    return reach_filter(principal, permission, owner=Account.owner_id, account=Account.id)


def list_accounts(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of accounts."""
    return _ACCOUNTS.page(session, arguments, visible_accounts(principal))


def get_account(session: Session, principal: Principal, account_id: uuid.UUID) -> Account:
    """One account in full. Raises NotFound, also for what the caller may not see."""
    return Accounts(session).get(account_id, where=visible_accounts(principal))


def find_duplicates(session: Session, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Live accounts that may be the company of `values` (as for a new account): {id, name, score}, likeliest first.

    Of the addresses only country and postal code count.
    """
    name = fold_company(values["name"])
    domain, phone = domain_of(values.get("website")), values.get("phone")
    tax_id, tax_country = values.get("tax_id"), values.get("tax_country")
    places = [
        {"country": address["country"], "postal_code": address["postal_code"]}
        for address in values.get("addresses") or ()
        if address["country"] and address["postal_code"]
    ]
    same_domain = Account.domain == domain if domain else false()
    same_phone = Account.phone == phone if phone else false()
    same_tax_id = false()
    if tax_id and tax_country:
        same_tax_id = (Account.tax_id == tax_id) & (Account.tax_country == tax_country)
    same_place = or_(false(), *(Account.addresses.contains([place]) for place in places))
    query = select(
        Account.id,
        Account.name,
        func.similarity(Account.folded_name, name).label("similarity"),
        same_tax_id.label("same_tax_id"),
        same_domain.label("same_domain"),
        same_phone.label("same_phone"),
        same_place.label("same_place"),
    ).where(
        Account.status == "live",
        # Without any of these the score stays below what makes a candidate.
        or_(Account.folded_name.op("%")(name), same_domain, same_phone, same_tax_id),
    )
    found = [
        {
            "id": row.id,
            "name": row.name,
            "score": account_score(
                row.similarity,
                same_tax_id=row.same_tax_id,
                same_domain=row.same_domain,
                same_phone=row.same_phone,
                same_place=row.same_place,
            ),
        }
        for row in session.execute(query)
    ]
    likely = [candidate for candidate in found if candidate["score"] >= ACCOUNT_CANDIDATE]
    return sorted(likely, key=lambda candidate: (-candidate["score"], candidate["name"]))[:_AT_MOST]
