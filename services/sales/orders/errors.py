"""Refusals of the orders slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["AddressNeeded", "NothingToOrder", "OrderStands", "ShippedAlready"]


class AddressNeeded(Conflict):
    """An order cannot be delivered without an address."""

    problem = "address-needed"
    title = "The account has no address"


class NothingToOrder(Conflict):
    """The policy asks for priced lines or an accepted quote."""

    problem = "nothing-to-order"
    title = "There is nothing to order"


class OrderStands(Conflict):
    """The deal's order is still alive."""

    problem = "order-stands"
    title = "The order still stands"


class ShippedAlready(Conflict):
    """What was shipped cannot be cancelled."""

    problem = "shipped-already"
    title = "Parts of the order were shipped already"
