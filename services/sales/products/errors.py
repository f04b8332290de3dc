"""Refusals of the products slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["BadTaxCode", "NoPrice", "ProductNotActive", "SkuTaken"]


class BadTaxCode(Invalid):
    """Products could not carry such a code."""

    problem = "bad-tax-code"
    title = "This cannot be a tax code"


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
