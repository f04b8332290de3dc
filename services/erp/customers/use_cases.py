"""Link accounts with customers of the ERP."""

from __future__ import annotations

import uuid

from services.erp.customers.model import Customer
from services.erp.customers.repository import Customers
from shared.db.locks import hold
from shared.db.unit_of_work import UnitOfWork

__all__ = ["link_customer"]


def link_customer(
    account_id: uuid.UUID, erp_customer_id: str, erp_number: str | None, uow: UnitOfWork
) -> None:
    """Note which customer of the ERP the account is; says so once."""
    with uow:
        # Two first orders of one account may be created at the same moment.
        hold(uow.session, f"customer {account_id}")
        customers = Customers(uow.session)
        customer = customers.find(account_id, lock=True) or customers.add(Customer(id=account_id))
        customer.link(erp_customer_id, erp_number, uow.clock.now())
