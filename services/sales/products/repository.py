"""Get and find products and tax rates."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import select

from services.sales.products.model import Product, TaxRate
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["Products", "TaxRates"]


class Products(Repository[Product]):
    """The products of one session."""

    model = Product

    def with_sku(self, sku: str) -> Product | None:
        """The product with this SKU."""
        return self.session.scalar(select(Product).where(Product.sku == sku))

    def by_external_ids(self, external_ids: Iterable[str]) -> dict[str, Product]:
        """The products that an import knows by these names; names that nobody has are left out."""
        found = self.session.scalars(select(Product).where(Product.external_id.in_(set(external_ids))))
        return {product.external_id: product for product in found if product.external_id is not None}

    def by_skus(self, skus: Iterable[str | None]) -> dict[str, Product]:
        """Products by SKU; those that do not exist are left out."""
        found = self.session.scalars(select(Product).where(Product.sku.in_(set(skus) - {None})))
        return {product.sku: product for product in found}

    def by_ids(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Product]:
        """Products by id. Raises NotFound naming the first that is missing."""
        wanted = set(ids)
        found = {p.id: p for p in self.session.scalars(select(Product).where(Product.id.in_(wanted)))}
        for product_id in wanted - found.keys():
            raise NotFound(f"There is no product with the id {product_id}.")
        return found


class TaxRates(Repository[TaxRate]):
    """Tax rates by code."""

    model = TaxRate

    def by_code(self) -> dict[str, int]:
        """Rate in basis points by tax code."""
        return {row.code: row.rate_bp for row in self.session.execute(select(TaxRate.code, TaxRate.rate_bp))}

    def with_code(self, code: str) -> TaxRate | None:
        """The rate for `code`."""
        return self.session.scalar(select(TaxRate).where(TaxRate.code == code))
