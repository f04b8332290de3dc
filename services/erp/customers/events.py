"""Facts about customers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from shared.kernel.events import Event

__all__ = ["CustomerLinked"]


@dataclass(frozen=True)
class CustomerLinked(Event):
    TYPE = "crm.erp.customer.linked.v1"

    account_id: uuid.UUID
    erp_customer_id: str
    erp_number: str | None
    previous_erp_customer_id: str | None
    linked_at: datetime
