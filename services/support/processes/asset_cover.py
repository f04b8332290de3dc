"""Assets under contract: a shipment registers assets below their order's contract, and cover looks at both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.support.assets.use_cases import register_shipped_units
from services.support.contracts.repository import Contracts
from services.support.warranty import decide_cover
from shared.company import company

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.support.assets.model import Asset
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["asset_cover", "register_shipment"]

REGISTERED_KINDS = ("good", "bundle")


def register_shipment(order: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Register the goods of a shipment as the customer's assets. `order`: fields of the shipped fact."""
    with uow:
        contract = Contracts(uow.session).of_order(order["order_id"])
        owner = {key: order[key] for key in ("account_id", "contact_id", "opportunity_id", "order_id")}
        owner["contract_id"] = contract.id if contract is not None else None
        shipped_on = order["shipped_at"].astimezone(company(uow.session).zone).date()
        lines = {line["line_id"]: line for line in order["lines"]}
        for shipped in order["shipment_lines"]:
            line = lines[shipped["line_id"]]
            if line["kind"] in REGISTERED_KINDS:
                register_shipped_units(
                    owner, line, Decimal(shipped["cumulative"]), shipped["serials"], shipped_on, uow
                )


def asset_cover(session: Session, asset: Asset, reported_at: datetime) -> dict[str, Any]:
    """Who pays for what if `asset` fails at `reported_at`: {basis, parts, labour, travel, reason, contract_id}."""
    day = reported_at.astimezone(company(session).zone).date()
    contract = Contracts(session).covering(asset.account_id, asset.product_id, asset.id, day)
    cover = decide_cover(
        day, asset.warranty_starts_on, asset.warranty_ends_on, contract.number if contract else None
    )
    return {
        "basis": cover.basis,
        "parts": cover.parts,
        "labour": cover.labour,
        "travel": cover.travel,
        "reason": cover.reason,
        "contract_id": contract.id if contract else None,
    }
