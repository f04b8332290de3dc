"""Create, change, activate and retire products; set tax rates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.sales.products.errors import SkuTaken
from services.sales.products.model import Product, TaxRate
from services.sales.products.repository import Products, TaxRates
from shared.db.unit_of_work import UnitOfWork

__all__ = ["activate_product", "create_product", "edit_product", "retire_product", "set_tax_rate"]


def create_product(values: Mapping[str, Any], uow: UnitOfWork) -> Product:
    """Create a product. Raises SkuTaken."""
    with uow:
        products = Products(uow.session)
        if products.with_sku(values["sku"]) is not None:
            raise SkuTaken(f"A product with the SKU {values['sku']} exists. Edit that one.")
        return products.add(Product.create(values, origin="user", now=uow.clock.now()))


def edit_product(
    product_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
) -> Product:
    """Change a product. Raises NotFound, Stale, IllegalState."""
    with uow:
        product = Products(uow.session).get(product_id, expected_version=expected_version)
        product.edit(changes, origin="user", now=uow.clock.now())
        return product


def activate_product(product_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Product:
    """Put a draft on sale. Raises NotFound, Stale, IllegalState."""
    with uow:
        product = Products(uow.session).get(product_id, expected_version=expected_version)
        product.activate(uow.clock.now())
        return product


def retire_product(product_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Product:
    """Take a product off sale. Raises NotFound, Stale, IllegalState."""
    with uow:
        product = Products(uow.session).get(product_id, expected_version=expected_version)
        product.retire(uow.clock.now())
        return product


def set_tax_rate(code: str, rate_bp: int, uow: UnitOfWork) -> TaxRate:
    """Set the rate of a tax code for documents priced from now on. Raises BadTaxCode."""
    with uow:
        rates = TaxRates(uow.session)
        rate = rates.with_code(code)
        if rate is None:
            return rates.add(TaxRate.of(code, rate_bp))
        rate.rate_bp = rate_bp
        return rate
