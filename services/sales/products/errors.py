"""Refusals of the products slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["NoPrice", "ProductNotActive", "SkuTaken"]


class SkuTaken(Conflict):
    """Another product has this SKU."""

    problem = "sku-taken"
    title = "The SKU is taken"


class ProductNotActive(Invalid):
    """Drafts and retired products cannot be sold."""

    problem = "product-not-active"
    title = "The product is not active"


class NoPrice(Invalid):
    """The price book has no price for the product in that currency."""

    problem = "no-price"
    title = "There is no price"
