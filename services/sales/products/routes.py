"""Products and tax rates over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.sales.products import queries, use_cases
from services.sales.products.schemas import (
    CreateProduct,
    EditProduct,
    ProductFilters,
    ProductOut,
    ProductRow,
    SetTaxRate,
    TaxRateOut,
)
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.products.model import Product, TaxRate

__all__ = ["blueprint", "tax_rates"]

blueprint = Blueprint(
    "products", __name__, url_prefix="/v1/products", description="What we sell, and its list price"
)
tax_rates = Blueprint(
    "tax_rates", __name__, url_prefix="/v1/tax-rates", description="Rates that documents reckon with"
)


@blueprint.get("", permission="product.read")
@blueprint.arguments(ProductFilters, location="query")
@blueprint.page(ProductRow)
def list_products(filters: dict[str, Any]) -> Page:
    """List products."""
    return queries.list_products(session(), principal(), filters)


@blueprint.post("", permission="product.create")
@blueprint.arguments(CreateProduct)
@blueprint.response(201, ProductOut)
def create_product(values: dict[str, Any]) -> Product:
    """Create a product."""
    return use_cases.create_product(values, unit_of_work())


@blueprint.get("/<uuid:product_id>", permission="product.read")
@blueprint.response(200, ProductOut)
def get_product(product_id: uuid.UUID) -> Product:
    """Read a product."""
    return queries.get_product(session(), principal(), product_id)


@blueprint.patch("/<uuid:product_id>", permission="product.edit")
@blueprint.arguments(EditProduct)
@blueprint.response(200, ProductOut)
def edit_product(changes: dict[str, Any], product_id: uuid.UUID, expected_version: int) -> Product:
    """Change a product."""
    return use_cases.edit_product(product_id, changes, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:product_id>/activate", permission="product.edit", if_match=True)
@blueprint.response(200, ProductOut)
def activate_product(product_id: uuid.UUID, expected_version: int) -> Product:
    """Put a draft on sale."""
    return use_cases.activate_product(product_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:product_id>/retire", permission="product.edit", if_match=True)
@blueprint.response(200, ProductOut)
def retire_product(product_id: uuid.UUID, expected_version: int) -> Product:
    """Take a product off sale."""
    return use_cases.retire_product(product_id, unit_of_work(), expected_version=expected_version)


@tax_rates.get("", permission="product.read")
@tax_rates.page(TaxRateOut)
def list_tax_rates(arguments: dict[str, Any]) -> Page:
    """List tax rates."""
    return queries.list_tax_rates(session(), arguments)


@tax_rates.put("/<string(maxlength=40):code>", permission="product.edit", if_match=False)
@tax_rates.arguments(SetTaxRate)
@tax_rates.response(200, TaxRateOut)
def set_tax_rate(command: dict[str, Any], code: str) -> TaxRate:
    """Set the rate of a tax code for documents priced from now on."""
    return use_cases.set_tax_rate(code, command["rate_bp"], unit_of_work())
