"""Facts about accounts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = ["AccountChanged", "AccountCreated", "AccountState"]


@dataclass(frozen=True)
class AccountState(Event):
    """The whole account: a consumer never has to ask back."""

    account_id: uuid.UUID
    name: str
    kind: str
    status: str
    parent_id: uuid.UUID | None
    merged_into_id: uuid.UUID | None
    owner_id: uuid.UUID | None
    industry: str | None
    employee_count: int | None
    annual_revenue: Money | None
    website: str | None
    domain: str | None
    tax_id: str | None
    tax_country: str | None
    phone: str | None
    currency: str
    addresses: list[dict[str, Any]]
    erp_number: str | None
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class AccountCreated(AccountState):
    TYPE = "crm.sales.account.created.v1"


@dataclass(frozen=True)
class AccountChanged(AccountState):
    TYPE = "crm.sales.account.changed.v1"

    changed_fields: list[str]
