"""Get and find customers."""

from __future__ import annotations

from services.erp.customers.model import Customer
from shared.db.repository import Repository

__all__ = ["Customers"]


class Customers(Repository[Customer]):
    """The customers of one session."""

    model = Customer
