"""Read products and tax rates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from services.sales.products.model import Product, TaxRate
from services.sales.products.repository import Products
from shared.access import Principal
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_product", "list_products", "list_tax_rates"]

_PRODUCTS = Listing(
    select(
        Product.id,
        Product.version,
        Product.sku,
        Product.name,
        Product.family,
        Product.kind,
        Product.state,
        Product.unit,
        Product.tax_code,
        Product.needs_installation,
        Product.warranty_months,
        Product.prices,
        Product.external_id,
        Product.created_at,
        Product.updated_at,
    ),
    key=Product.id,
    filters={
        "sku": equals(Product.sku),
        "family": equals(Product.family),
        "kind": equals(Product.kind),
        "state": equals(Product.state),
        "external_id": equals(Product.external_id),
        "ids": one_of(Product.id),
        "q": lambda text: or_(
            Product.name.icontains(text, autoescape=True), Product.sku.istartswith(text, autoescape=True)
        ),
    },
    sorts={"name": Product.name, "sku": Product.sku, "created_at": Product.created_at},
    default_sort="name",
)
_TAX_RATES = Listing(
    select(*TaxRate.__table__.columns), key=TaxRate.id, sorts={"code": TaxRate.code}, default_sort="code"
)


def _visible_products(principal: Principal) -> ColumnElement[bool]:
    """The products that `principal` may see: customers see no drafts."""
    return Product.state != "draft" if principal.kind == "portal" else true()


def list_products(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of products."""
    return _PRODUCTS.page(session, arguments, _visible_products(principal))


def get_product(session: Session, principal: Principal, product_id: uuid.UUID) -> Product:
    """One product in full. Raises NotFound, also for what the caller may not see."""
    return Products(session).get(product_id, where=_visible_products(principal))


def list_tax_rates(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of tax rates."""
    return _TAX_RATES.page(session, arguments)
