"""The customer aggregate: its id is the account's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped

from services.erp.customers.events import CustomerLinked
from services.erp.database import Base
from shared.db.base import AggregateRoot

__all__ = ["Customer"]


class Customer(AggregateRoot, Base):
    """An account's customer in the ERP. `erp_number`: what people call it, where it is not the id."""

    __tablename__ = "customers"
    AGGREGATE = "customer"

    erp_customer_id: Mapped[str | None]
    erp_number: Mapped[str | None]

    def link(self, erp_customer_id: str, erp_number: str | None, now: datetime) -> None:
        """The ERP keeps the account under this id; nothing happens where that is known."""
        previous = self.erp_customer_id
        if (previous, self.erp_number) == (erp_customer_id, erp_number):
            return
        self.erp_customer_id, self.erp_number = erp_customer_id, erp_number
        self.record(CustomerLinked(self.id, erp_customer_id, erp_number, previous, now))
