"""What sales tells us that makes assets."""

from __future__ import annotations

from services.support.assets.schemas import ShippedOrder
from services.support.processes.asset_cover import register_shipment
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.sales.order.shipped.v1", reads=ShippedOrder)
def register_assets_when_order_shipped(fact: Fact, uow: UnitOfWork) -> None:
    """What was shipped belongs to the customer now; its warranty begins."""
    register_shipment(fact.data, uow)


HANDLERS = (register_assets_when_order_shipped,)
