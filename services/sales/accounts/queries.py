"""Read accounts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from services.sales.accounts.model import Account
from services.sales.accounts.repository import Accounts
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_account", "list_accounts", "visible_accounts"]

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
