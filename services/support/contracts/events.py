"""Facts about contracts and entitlements."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared.kernel.events import Event

__all__ = [
    "ContractActivated",
    "ContractCancelled",
    "ContractDrafted",
    "ContractExpired",
    "ContractState",
    "EntitlementConsumed",
]


@dataclass(frozen=True)
class ContractState(Event):
    """What every fact about a contract carries."""

    contract_id: uuid.UUID
    number: str
    state: str
    account_id: uuid.UUID
    contact_id: uuid.UUID | None
    opportunity_id: uuid.UUID | None
    order_id: uuid.UUID | None
    owner_id: uuid.UUID | None
    starts_on: date | None
    ends_on: date | None
    time_zone: str
    auto_renew: bool
    notice_days: int
    lines: list[dict[str, Any]]


@dataclass(frozen=True)
class ContractDrafted(ContractState):
    TYPE = "crm.support.contract.drafted.v1"


@dataclass(frozen=True)
class ContractActivated(ContractState):
    TYPE = "crm.support.contract.activated.v1"

    activated_at: datetime


@dataclass(frozen=True)
class ContractCancelled(ContractState):
    TYPE = "crm.support.contract.cancelled.v1"

    code: str
    text: str | None
    cancelled_at: datetime


@dataclass(frozen=True)
class ContractExpired(ContractState):
    TYPE = "crm.support.contract.expired.v1"

    expired_at: datetime


@dataclass(frozen=True)
class EntitlementConsumed(Event):
    """Something was used of what the customer is entitled to."""

    TYPE = "crm.support.entitlement.consumed.v1"

    entitlement_id: uuid.UUID
    contract_id: uuid.UUID
    account_id: uuid.UUID
    kind: str
    quantity: Decimal
    balance: Decimal | None
    case_id: uuid.UUID | None
    work_order_id: uuid.UUID | None
    consumed_at: datetime
