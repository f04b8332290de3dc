"""Create and change accounts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.accounts.errors import AccountExists, ParentRing
from services.sales.accounts.model import MAX_DEPTH, Account
from services.sales.accounts.repository import Accounts
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Retriable

__all__ = ["AccountUnknown", "check_parent", "create_account", "edit_account", "link_account_to_erp"]


class AccountUnknown(Retriable):
    """A fact about an account that is not here (yet, after a restore)."""

    problem = "account-unknown"
    title = "The account is not known"


def create_account(values: Mapping[str, Any], uow: UnitOfWork) -> Account:
    """Create an account. Raises AccountExists, NotFound (parent), ParentRing."""
    with uow:
        accounts = Accounts(uow.session)
        external_id = values.get("external_id")
        if external_id is not None and accounts.with_external_id(external_id) is not None:
            raise AccountExists(f"An account with the external id {external_id} exists. Edit that one.")
        if values.get("parent_id") is not None:
            check_parent(accounts, None, values["parent_id"])
        return accounts.add(Account.create(values, origin="user", now=uow.clock.now()))


def edit_account(
    account_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Account:
    """Change fields of an account. Raises NotFound, Stale, AccountNotLive, ParentRing."""
    with uow:
        accounts = Accounts(uow.session)
        account = accounts.get(account_id, expected_version=expected_version, where=where)
        if changes.get("parent_id") is not None:
            check_parent(accounts, account_id, changes["parent_id"])
        account.edit(changes, origin="user", now=uow.clock.now())
        return account


def link_account_to_erp(account_id: uuid.UUID, number: str, uow: UnitOfWork) -> None:
    """Keep the ERP's number of a customer. Raises AccountUnknown."""
    with uow:
        account = Accounts(uow.session).find(account_id, lock=True)
        if account is None:
            raise AccountUnknown(f"There is no account {account_id}.")
        account.link_erp(number, uow.clock.now())


def check_parent(accounts: Accounts, account_id: uuid.UUID | None, parent_id: uuid.UUID) -> None:
    """Whether the account may hang below that parent. Raises NotFound, AccountNotLive, ParentRing."""
    accounts.get(parent_id).require_live()
    chain = accounts.ancestors(parent_id)
    if account_id in chain:
        raise ParentRing.field("/parent_id", "An account cannot hang below itself.")
    if len(chain) >= MAX_DEPTH:
        raise ParentRing.field("/parent_id", f"A hierarchy has at most {MAX_DEPTH} levels.")
