"""Facts about products."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event
from shared.kernel.money import Money

__all__ = ["ProductChanged"]


@dataclass(frozen=True)
class ProductChanged(Event):
    """A product was created or changed: all of it, with its prices."""

    TYPE = "crm.sales.product.changed.v1"

    product_id: uuid.UUID
    sku: str
    name: str
    description: str | None
    family: str | None
    kind: str
    state: str
    unit: str
    quantity_decimals: int
    tax_code: str
    standard_cost: Money | None
    configuration_model_id: uuid.UUID | None
    needs_installation: bool
    warranty_months: int
    serialised: bool
    prices: list[dict[str, Any]]
    origin: str
    effective_at: datetime
