"""Accounts over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.accounts import queries, use_cases
from services.sales.accounts.schemas import AccountFilters, AccountOut, AccountRow, CreateAccount, EditAccount
from shared.company import company
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.accounts.model import Account

__all__ = ["blueprint"]

blueprint = Blueprint("accounts", __name__, url_prefix="/v1/accounts", description="The companies we sell to")


@blueprint.get("", permission="account.read")
@blueprint.arguments(AccountFilters, location="query")
@blueprint.page(AccountRow)
def list_accounts(filters: dict[str, Any]) -> Page:
    """List accounts."""
    return queries.list_accounts(session(), principal(), filters)


@blueprint.post("", permission="account.create")
@blueprint.arguments(CreateAccount)
@blueprint.response(201, AccountOut)
def create_account(values: dict[str, Any]) -> Account:
    """Create an account."""
    values["currency"] = values["currency"] or company(session()).base_currency
    values.setdefault("owner_id", principal().user_id)
    return use_cases.create_account(values, unit_of_work())


@blueprint.get("/<uuid:account_id>", permission="account.read")
@blueprint.response(200, AccountOut)
def get_account(account_id: uuid.UUID) -> Account:
    """Read an account."""
    return queries.get_account(session(), principal(), account_id)


@blueprint.patch("/<uuid:account_id>", permission="account.edit")
@blueprint.arguments(EditAccount)
@blueprint.response(200, AccountOut)
def edit_account(changes: dict[str, Any], account_id: uuid.UUID, expected_version: int) -> Account:
    """Change an account."""
    visible = queries.visible_accounts(principal(), "account.edit")
    return use_cases.edit_account(
        account_id, changes, unit_of_work(), expected_version=expected_version, where=visible
    )
