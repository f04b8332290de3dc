"""Read contracts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from services.support.contracts.model import Contract, Entitlement
from services.support.contracts.repository import Contracts
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_contract", "list_contracts", "list_entitlements", "visible_contracts"]

_CONTRACTS = Listing(
    select(
        Contract.id,
        Contract.version,
        Contract.number,
        Contract.state,
        Contract.account_id,
        Contract.contact_id,
        Contract.opportunity_id,
        Contract.order_id,
        Contract.owner_id,
        Contract.starts_on,
        Contract.ends_on,
        Contract.term_months,
        Contract.attention,
        Contract.created_at,
        Contract.updated_at,
    ),
    key=Contract.id,
    filters={
        "state": equals(Contract.state),
        "account_id": equals(Contract.account_id),
        "opportunity_id": equals(Contract.opportunity_id),
        "order_id": equals(Contract.order_id),
        "number": equals(Contract.number),
        "expiring_within_days": lambda days: (
            (Contract.state == "active") & (Contract.ends_on <= func.current_date() + timedelta(days=days))
        ),
        "ids": one_of(Contract.id),
    },
    sorts={"created_at": Contract.created_at, "number": Contract.number},
)


def visible_contracts(principal: Principal, permission: str = "contract.read") -> ColumnElement[bool]:
    """The contracts that `principal` may use with `permission`."""
    return reach_filter(
        principal,
        permission,
        owner=Contract.owner_id,
        account=Contract.account_id,
        contact=Contract.contact_id,
    )


def list_contracts(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of contracts."""
    return _CONTRACTS.page(session, arguments, visible_contracts(principal))


def get_contract(session: Session, principal: Principal, contract_id: uuid.UUID) -> Contract:
    """One contract in full. Raises NotFound, also for what the caller may not see."""
    return Contracts(session).get(contract_id, where=visible_contracts(principal))


def list_entitlements(session: Session, contract_id: uuid.UUID) -> list[dict[str, Any]]:
    """What may still be used under a contract; `balance` None is unlimited."""
    query = select(Entitlement.id, Entitlement.kind, Entitlement.balance).where(
        Entitlement.contract_id == contract_id
    )
    return [dict(row) for row in session.execute(query.order_by(Entitlement.kind)).mappings()]
