"""Register and retire assets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from services.support.assets.errors import SerialTaken
from services.support.assets.model import Asset
from services.support.assets.repository import Assets
from shared.db.unit_of_work import UnitOfWork

__all__ = ["register_asset", "register_shipped_units", "retire_asset"]


def register_shipped_units(
    owner: Mapping[str, Any],
    line: Mapping[str, Any],
    cumulative: Decimal,
    serials: Sequence[str],
    shipped_on: date,
    uow: UnitOfWork,
) -> list[Asset]:
    """Register the units of an order line that were shipped so far and are not registered yet.

    `owner`: account_id, contact_id, opportunity_id, order_id, contract_id, site. With `serials` there is one asset
    a serial, without one a whole unit up to `cumulative`. Hearing of a shipment twice registers nothing twice.
    """
    with uow:
        assets = Assets(uow.session)
        known = assets.units_of_line(owner["order_id"], line["line_id"])
        units: list[tuple[str, str | None]] = (
            [(f"serial:{serial}", serial) for serial in serials]
            if serials
            else [(f"unit:{number}", None) for number in range(1, int(cumulative) + 1)]
        )
        return [
            assets.add(
                Asset.register(
                    {
                        **owner,
                        "product_id": line["product_id"],
                        "sku": line["sku"],
                        "name": line["description"],
                        "serial": serial,
                        "status": "in_transit",
                        "order_line_id": line["line_id"],
                        "unit_key": unit_key,
                        "shipped_on": shipped_on,
                        "warranty_months": line["warranty_months"],
                    },
                    uow.clock.now(),
                )
            )
            for unit_key, serial in units
            if unit_key not in known
        ]


def register_asset(values: Mapping[str, Any], uow: UnitOfWork) -> Asset:
    """Register what a customer owns by hand. Raises SerialTaken."""
    with uow:
        assets = Assets(uow.session)
        serial = values["serial"]
        if serial is not None and assets.with_serial(values["product_id"], serial) is not None:
            raise SerialTaken(f"The serial {serial} is registered already. Look it up instead.")
        return assets.add(Asset.register({**values, "status": "active"}, uow.clock.now()))


def retire_asset(asset_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Asset:
    """Take an asset out of use. Raises NotFound, Stale, IllegalState."""
    with uow:
        asset = Assets(uow.session).get(asset_id, expected_version=expected_version)
        asset.retire()
        return asset
