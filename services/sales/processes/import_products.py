"""Import products: matched by external id, else by SKU."""

from __future__ import annotations

from collections.abc import Sequence

from services.sales.processes.import_rows import Apply, Outcome, Row, import_rows, noon
from services.sales.products.model import Product
from services.sales.products.repository import Products
from shared.db.unit_of_work import UnitOfWork

__all__ = ["import_products"]

_DEFAULTS = {
    "kind": "good",
    "unit": "C62",
    "quantity_decimals": 0,
    "tax_code": "standard",
    "needs_installation": False,
    "warranty_months": 0,
}


def import_products(rows: Sequence[Row], uow: UnitOfWork, dry_run: bool) -> list[Outcome]:
    """Create and change products."""
    return import_rows(rows, _prepare, uow, dry_run=dry_run)


def _prepare(chunk: Sequence[Row], uow: UnitOfWork) -> Apply:
    products = Products(uow.session)
    by_external_id = products.by_external_ids(row.external_id for row in chunk)
    by_sku = products.by_skus(row.values["sku"] for row in chunk)

    def apply(row: Row) -> Outcome:
        values = {name: value for name, value in row.values.items() if name != "created_on"}
        product = by_external_id.get(row.external_id) or by_sku.get(values["sku"])
        if product is None:
            values = {**_DEFAULTS, **values, "external_id": row.external_id}
            now = noon(row.values.get("created_on"), uow)
            product = products.add(Product.create(values, origin="import", now=now))
            by_external_id[row.external_id] = by_sku[product.sku] = product
            return Outcome.created(row, product.id)
        changes = {"external_id": row.external_id, **values}
        changed = product.edit(changes, origin="import", now=uow.clock.now())
        return Outcome.kept(row, product.id, changed=changed)

    return apply
