"""The product aggregate with its entries in the standard price book."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy.orm import Mapped, mapped_column

from services.sales.database import Base
from services.sales.products.errors import BadTaxCode, NoPrice, ProductNotActive
from services.sales.products.events import ProductChanged
from shared.db.base import AggregateRoot, money
from shared.kernel.errors import IllegalState
from shared.kernel.money import Money

__all__ = ["PRODUCT_KINDS", "Product", "TaxRate"]

_TAX_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
PRODUCT_KINDS = ("good", "service", "subscription", "bundle", "percent_of_total")


class Product(AggregateRoot, Base):
    """States: draft -> active -> retired; a retired product stays readable but cannot be sold any more.

    `prices` is the standard price book's part of it: currency -> list price per unit, a decimal as text with up to
    6 decimals.
    """

    __tablename__ = "products"
    AGGREGATE = "product"

    sku: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    family: Mapped[str | None]
    kind: Mapped[str]
    state: Mapped[str]
    unit: Mapped[str]
    quantity_decimals: Mapped[int]
    tax_code: Mapped[str]
    standard_cost: Mapped[Money | None] = money("standard_cost", nullable=True)
    needs_installation: Mapped[bool]
    warranty_months: Mapped[int]
    serialised: Mapped[bool] = mapped_column(default=False)
    prices: Mapped[dict[str, Any]]
    external_id: Mapped[str | None]

    @classmethod
    def create(cls, values: Mapping[str, Any], *, origin: str, now: datetime) -> Self:
        """A new product, for sale at once unless its state says draft."""
        product = cls(**{"state": "active", "serialised": False, "prices": {}, **values})
        product._record(origin, now)
        return product

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return {"draft": ["edit", "activate"], "active": ["edit", "retire"], "retired": []}[self.state]

    def edit(self, changes: Mapping[str, Any], *, origin: str, now: datetime) -> bool:
        """Apply `changes`; False when nothing differs. Raises IllegalState when retired."""
        self._require("edit")
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, changes[name])
        if changed:
            self._record(origin, now)
        return bool(changed)

    def activate(self, now: datetime) -> None:
        """Put a draft on sale. Raises IllegalState."""
        self._require("activate")
        self.state = "active"
        self._record("user", now)

    def retire(self, now: datetime) -> None:
        """Take the product off sale. Raises IllegalState."""
        self._require("retire")
        self.state = "retired"
        self._record("user", now)

    def list_price(self, currency: str) -> Decimal:
        """List price per unit. Raises ProductNotActive, NoPrice."""
        if self.state != "active":
            raise ProductNotActive.field("/product_id", f"{self.sku} is {self.state} and cannot be sold.")
        price = self.prices.get(currency)
        if price is None:
            raise NoPrice.field(
                "/product_id", f"{self.sku} has no {currency} price in the standard price book."
            )
        return Decimal(price)

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"A product that is {self.state} cannot {verb}.", state=self.state, allowed=self.allowed
            )

    def _record(self, origin: str, now: datetime) -> None:
        self.record(
            ProductChanged(
                product_id=self.id,
                sku=self.sku,
                name=self.name,
                description=self.description,
                family=self.family,
                kind=self.kind,
                state=self.state,
                unit=self.unit,
                quantity_decimals=self.quantity_decimals,
                tax_code=self.tax_code,
                standard_cost=self.standard_cost,
                configuration_model_id=None,
                needs_installation=self.needs_installation,
                warranty_months=self.warranty_months,
                serialised=self.serialised,
                prices=[
                    {"scope": "standard", "list_unit": {"amount": price, "currency": currency}}
                    for currency, price in sorted(self.prices.items())
                ],
                origin=origin,
                effective_at=now,
            )
        )


class TaxRate(AggregateRoot, Base):
    """The rate of a tax code, in basis points, that quotes and orders reckon with; the ERP has the last word."""

    __tablename__ = "tax_rates"
    AGGREGATE = "tax_rate"

    code: Mapped[str]
    rate_bp: Mapped[int]

    @classmethod
    def of(cls, code: str, rate_bp: int) -> Self:
        """The rate of a new code. Raises BadTaxCode."""
        if not _TAX_CODE.fullmatch(code):
            raise BadTaxCode.field("/code", "Lower case letters, digits and underscores are expected.")
        return cls(code=code, rate_bp=rate_bp)
