"""Draft, activate, suspend, cancel and expire contracts; use what they entitle to."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.support.contracts.model import (
    DEFAULT_TERM_MONTHS,
    Contract,
    Entitlement,
    LedgerEntry,
    PendingOrderFact,
)
from services.support.contracts.repository import Contracts, Entitlements
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.ids import new_id
from shared.messaging.timers import Timer

__all__ = [
    "EXPIRY",
    "activate_contract",
    "apply_order_fact",
    "cancel_contract",
    "consume_entitlement",
    "draft_contract",
    "edit_contract",
    "expire_contract",
    "open_contract",
    "resume_contract",
    "suspend_contract",
    "top_up",
    "withdraw_contract",
]

EXPIRY = "contract_expiry"
COVERED_KINDS = ("service", "subscription")


def open_contract(
    deal: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], uow: UnitOfWork
) -> Contract | None:
    """Draft the contract that a win brings: one line for each service or subscription sold; where none was, one for
    each product with a warranty. None where there is nothing to cover, or the deal's contract stands already.

    What was heard about the order before is applied at once. `deal`: fields of the won fact.
    """
    covered = [line for line in lines if line["kind"] in COVERED_KINDS] or [
        line for line in lines if line["warranty_months"] > 0
    ]
    with uow:
        contracts = Contracts(uow.session)
        if not covered or contracts.standing_of_opportunity(deal["opportunity_id"]) is not None:
            return None
        term = deal["term_months"] or max((line["warranty_months"] for line in covered), default=0)
        contract = draft_contract(
            {
                "account_id": deal["account_id"],
                "contact_id": deal["primary_contact_id"],
                "opportunity_id": deal["opportunity_id"],
                "order_id": deal["order_id"],
                "owner_id": deal["owner_id"],
                "term_months": term or DEFAULT_TERM_MONTHS,
                "lines": [_line_of_order(line) for line in covered],
            },
            uow,
        )
        for fact in contracts.pending(deal["order_id"]) if deal["order_id"] else ():
            _apply(contract, fact.kind, fact.data, uow)
        return contract


def draft_contract(values: Mapping[str, Any], uow: UnitOfWork) -> Contract:
    """Draft a contract."""
    with uow:
        contracts = Contracts(uow.session)
        settings = company(uow.session)
        number = contracts.next_number(settings.today(uow.clock.now()).year)
        empty = {"contact_id": None, "opportunity_id": None, "order_id": None, "owner_id": None}
        terms = {"number": number, "time_zone": settings.zone.key, "term_months": DEFAULT_TERM_MONTHS}
        return contracts.add(Contract.draft({**empty, **terms, **values}))


def apply_order_fact(order_id: uuid.UUID, kind: str, data: Mapping[str, Any], uow: UnitOfWork) -> None:
    """What became of the order: `acknowledged` puts its contract in force, `rejected` and `cancelled` end the draft.

    Where the win has not been heard yet, the fact is kept for it. `data`: JSON-able.
    """
    with uow:
        contract = Contracts(uow.session).of_order(order_id)
        if contract is not None:
            _apply(contract, kind, data, uow)
        elif uow.session.get(PendingOrderFact, (order_id, kind)) is None:
            uow.session.add(
                PendingOrderFact(order_id=order_id, kind=kind, data=dict(data), at=uow.clock.now())
            )


def withdraw_contract(opportunity_id: uuid.UUID, reason: str, uow: UnitOfWork) -> None:
    """The deal was reopened: its draft is cancelled, a contract in force asks for attention."""
    with uow:
        contract = Contracts(uow.session).standing_of_opportunity(opportunity_id)
        if contract is not None:
            _end(contract, "opportunity_reopened", reason, uow)


def edit_contract(
    contract_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int
) -> Contract:
    """Change a draft. Raises NotFound, Stale, IllegalState."""
    with uow:
        contract = Contracts(uow.session).get(contract_id, expected_version=expected_version)
        contract.edit(changes)
        return contract


def activate_contract(
    contract_id: uuid.UUID, starts_on: date | None, uow: UnitOfWork, *, expected_version: int
) -> Contract:
    """Put a draft in force by hand, by default from today. Raises NotFound, Stale, IllegalState, NoTerm."""
    with uow:
        contract = Contracts(uow.session).get(contract_id, expected_version=expected_version)
        _activate(contract, starts_on, None, uow)
        return contract


def suspend_contract(contract_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Contract:
    """Stop cover for now. Raises NotFound, Stale, IllegalState."""
    with uow:
        contract = Contracts(uow.session).get(contract_id, expected_version=expected_version)
        contract.suspend()
        return contract


def resume_contract(contract_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Contract:
    """Let cover go on. Raises NotFound, Stale, IllegalState."""
    with uow:
        contract = Contracts(uow.session).get(contract_id, expected_version=expected_version)
        contract.resume()
        return contract


def cancel_contract(
    contract_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int
) -> Contract:
    """End a contract for good. Raises NotFound, Stale, IllegalState."""
    with uow:
        contract = Contracts(uow.session).get(contract_id, expected_version=expected_version)
        _cancel(contract, "cancelled_by_hand", reason, uow)
        return contract


def expire_contract(timer: Timer, uow: UnitOfWork) -> None:
    """The day after the last one has begun."""
    Contracts(uow.session).get(timer.owner_id, lock=True).expire(uow.clock.now())


def top_up(
    contract_id: uuid.UUID, kind: str, quantity: Decimal | None, source_id: str, uow: UnitOfWork
) -> Entitlement:
    """Grant incidents or hours under a contract; no quantity means unlimited. The same `source_id` grants once.

    Raises NotFound.
    """
    with uow:
        contract = Contracts(uow.session).get(contract_id)
        entitlements = Entitlements(uow.session)
        entitlement = entitlements.of_contract(contract_id, kind)
        if entitlement is None:
            entitlement = entitlements.add(
                Entitlement(
                    contract_id=contract_id,
                    account_id=contract.account_id,
                    kind=kind,
                    balance=None if quantity is None else Decimal(0),
                )
            )
            uow.flush()
        elif entitlements.entry(entitlement.id, "grant", "top_up", source_id) is not None:
            return entitlement
        entitlement.grant(quantity)
        _enter(uow, entitlement, "grant", quantity or Decimal(0), "top_up", source_id)
        return entitlement


def consume_entitlement(contract_id: uuid.UUID, case_id: uuid.UUID, uow: UnitOfWork) -> Entitlement | None:
    """Use one incident for a case; None where the contract does not count incidents. The same case uses one.

    Raises EntitlementExhausted.
    """
    with uow:
        entitlements = Entitlements(uow.session)
        entitlement = entitlements.of_contract(contract_id, "incidents")
        if entitlement is None:
            return None
        if entitlements.entry(entitlement.id, "consume", "case", str(case_id)) is None:
            entitlement.consume(Decimal(1), uow.clock.now(), case_id=case_id)
            _enter(uow, entitlement, "consume", Decimal(1), "case", str(case_id))
        return entitlement


def _apply(contract: Contract, kind: str, data: Mapping[str, Any], uow: UnitOfWork) -> None:
    if kind == "acknowledged":
        _acknowledge(contract, data["confirmed"], uow)
    else:
        _end(contract, f"order_{kind}", data["reason"], uow)


def _acknowledge(contract: Contract, confirmed: Collection[str], uow: UnitOfWork) -> None:
    if contract.state == "draft":
        _activate(contract, None, confirmed, uow)
    elif contract.state == "cancelled":
        contract.flag("acknowledged_after_cancellation", "The order was accepted after all.", uow.clock.now())


def _activate(
    contract: Contract, starts_on: date | None, confirmed: Collection[str] | None, uow: UnitOfWork
) -> None:
    now = uow.clock.now()
    zone = ZoneInfo(contract.time_zone)
    contract.activate(starts_on or now.astimezone(zone).date(), now, confirmed=confirmed)
    assert contract.ends_on is not None
    over = datetime.combine(contract.ends_on + timedelta(days=1), time(), zone)
    uow.timers.set("contract", contract.id, EXPIRY, over.astimezone(UTC))


def _end(contract: Contract, code: str, reason: str, uow: UnitOfWork) -> None:
    """A draft is cancelled; what is in force is never ended silently."""
    if contract.state == "draft":
        _cancel(contract, code, reason, uow)
    elif contract.state in ("active", "suspended"):
        contract.flag(code, reason, uow.clock.now())


def _cancel(contract: Contract, code: str, reason: str, uow: UnitOfWork) -> None:
    contract.cancel(code, reason, uow.clock.now())
    uow.timers.cancel("contract", contract.id, EXPIRY)


def _enter(
    uow: UnitOfWork, entitlement: Entitlement, kind: str, quantity: Decimal, source: str, source_id: str
) -> None:
    uow.session.add(
        LedgerEntry(
            id=new_id(),
            entitlement_id=entitlement.id,
            kind=kind,
            quantity=quantity,
            source=source,
            source_id=source_id,
            at=uow.clock.now(),
        )
    )


def _line_of_order(line: Mapping[str, Any]) -> dict[str, Any]:
    is_service = line["kind"] in COVERED_KINDS
    return {
        "contract_line_id": str(new_id()),
        "product_id": str(line["product_id"]),
        "order_line_id": str(line["line_id"]),
        "covered_asset_id": None,
        # A service covers all that the account owns; a warranty covers its product.
        "covered_product_id": None if is_service else str(line["product_id"]),
        "quantity": line["quantity"],
        "period_price": line["net"] if is_service else None,
        "struck": False,
    }
