"""Create and change contacts: a contact stands at a live account."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement

from services.sales.accounts.repository import Accounts
from services.sales.contacts import use_cases
from shared.db.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.sales.contacts.model import Contact

__all__ = ["change_contact", "create_contact"]


def create_contact(values: Mapping[str, Any], uow: UnitOfWork) -> Contact:
    """Create a contact. Raises NotFound (account), AccountNotLive and what the use case raises."""
    with uow:
        _require_live_account(values, uow)
        return use_cases.create_contact(values, uow)


def change_contact(
    contact_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Contact:
    """Change a contact; another account must be live. Raises what `edit_contact` raises, AccountNotLive."""
    with uow:
        _require_live_account(changes, uow)
        return use_cases.edit_contact(
            contact_id, changes, uow, expected_version=expected_version, where=where
        )


def _require_live_account(values: Mapping[str, Any], uow: UnitOfWork) -> None:
    if values.get("account_id") is not None:
        Accounts(uow.session).get(values["account_id"]).require_live()
