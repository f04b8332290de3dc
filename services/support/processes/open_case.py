"""Open a case: it shows the cover of its asset as decided at that moment, and uses an incident where they count."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from services.support.assets.queries import get_asset
from services.support.cases.model import Case
from services.support.cases.repository import Cases
from services.support.contracts.use_cases import consume_entitlement
from services.support.processes.asset_cover import asset_cover
from shared.kernel.cause import current_cause

if TYPE_CHECKING:
    from shared.access import Principal
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["open_case"]


def open_case(values: Mapping[str, Any], principal: Principal, uow: UnitOfWork) -> Case:
    """Open a case, against an asset where `values["asset_id"]` names one that `principal` may see.

    Raises NotFound, EntitlementExhausted.
    """
    with uow:
        given = dict(values)
        about: dict[str, Any] = dict.fromkeys(
            ("product_id", "contract_id", "order_id", "opportunity_id", "cover", "root_correlation_id")
        )
        if given["asset_id"] is not None:
            about |= _about_asset(given["asset_id"], principal, uow)
        given |= {key: about.pop(key) for key in ("account_id",) if key in about}
        cases = Cases(uow.session)
        case = Case.open(
            {**given, **about, "number": cases.next_number()}, current_cause().actor_id, uow.clock.now()
        )
        cases.add(case)
        if case.contract_id is not None and case.cover is not None and case.cover["basis"] == "contract":
            uow.flush()
            consume_entitlement(case.contract_id, case.id, uow)
        return case


def _about_asset(asset_id: uuid.UUID, principal: Principal, uow: UnitOfWork) -> dict[str, Any]:
    asset = get_asset(uow.session, principal, asset_id)
    cover = asset_cover(uow.session, asset, uow.clock.now())
    contract_id = cover.pop("contract_id")
    return {
        "account_id": asset.account_id,
        "product_id": asset.product_id,
        "order_id": asset.order_id,
        "opportunity_id": asset.opportunity_id,
        "contract_id": contract_id,
        "cover": cover,
        # A case years later still hangs on the campaign that began it all.
        "root_correlation_id": asset.root_correlation_id,
    }
