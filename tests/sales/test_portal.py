"""What customers see of offers, orders and products."""

from __future__ import annotations

import pytest

from shared.kernel.ids import new_id
from shared.testing.tokens import bearer, customer_bearer
from tests.sales.conftest import Sales

PERMISSIONS = ("quote.read", "order.read", "product.read")
QUOTE = {
    "id", "version", "number", "revision", "state", "account_id", "currency", "valid_until", "net_total",
    "created_at", "updated_at",
}  # fmt: skip
ORDER = {
    "id", "version", "number", "state", "account_id", "erp_number", "net_total", "created_at", "updated_at",
}  # fmt: skip
PRODUCT = {
    "id", "version", "sku", "name", "family", "kind", "state", "unit", "tax_code", "needs_installation",
    "warranty_months", "prices", "created_at", "updated_at",
}  # fmt: skip


def test_customers_see_what_they_are_offered_and_not_what_we_earn(sales: Sales) -> None:
    quote = sales.sent_quote()
    customer = customer_bearer(quote["account_id"], *PERMISSIONS)
    assert [set(row) for row in sales.get("/v1/quotes", customer)["items"]] == [QUOTE]
    shown = sales.get(f"/v1/quotes/{quote['id']}", customer)
    assert set(shown) == QUOTE | {
        "tax_total", "gross_total", "payment_days", "term_months", "lines", "document_sha256", "sent_at",
        "accepted_at", "signer",
    }  # fmt: skip
    assert set(shown["lines"][0]) == {"line_id", "sku", "name", "quantity", "unit", "unit_net", "net"}
    assert shown["net_total"] == {"amount": "2000.00", "currency": "EUR"}


def test_customers_see_offers_of_their_account_once_they_are_sent(sales: Sales) -> None:
    sent = sales.sent_quote()
    draft = sales.quote(sales.get(f"/v1/opportunities/{sent['opportunity_id']}"))
    assert draft["account_id"] == sent["account_id"]
    ours, theirs = (customer_bearer(account, *PERMISSIONS) for account in (sent["account_id"], new_id()))
    assert [row["id"] for row in sales.get("/v1/quotes", ours)["items"]] == [sent["id"]]
    assert sales.get("/v1/quotes", theirs)["items"] == []
    for quote, headers, status in ((sent, ours, 200), (draft, ours, 404), (sent, theirs, 404)):
        assert sales.client.get(f"/v1/quotes/{quote['id']}", headers=headers).status_code == status
    deal = sales.client.get(f"/v1/opportunities/{sent['opportunity_id']}", headers=ours)
    assert deal.status_code == 403


def test_customers_follow_their_orders_and_not_our_trouble_with_them(sales: Sales) -> None:
    order = sales.order()
    customer = customer_bearer(order["account_id"], *PERMISSIONS)
    assert [set(row) for row in sales.get("/v1/orders", customer)["items"]] == [ORDER]
    assert set(sales.get(f"/v1/orders/{order['id']}", customer)) == ORDER | {
        "tax_total", "gross_total", "invoiced_total", "paid_total", "fulfilment", "billing", "quote_id",
        "quote_revision", "contact_id", "bill_to", "ship_to", "lines",
    }  # fmt: skip
    assert sales.get(f"/v1/orders/{order['id']}/handoff", customer) == {
        "order_id": order["id"],
        "number": order["number"],
        "state": "submitted",
        "fulfilment": order["fulfilment"],
        "billing": order["billing"],
        "erp_number": None,
    }


def test_customers_see_products_on_sale_and_not_what_they_cost_us(sales: Sales) -> None:
    product, draft = sales.product(), sales.product("RC-600", state="draft")
    customer = customer_bearer(new_id(), *PERMISSIONS)
    assert [set(row) for row in sales.get("/v1/products", customer)["items"]] == [PRODUCT]
    shown = sales.get(f"/v1/products/{product['id']}", customer)
    assert set(shown) == PRODUCT | {"description", "quantity_decimals", "serialised"}
    assert sales.client.get(f"/v1/products/{draft['id']}", headers=customer).status_code == 404
    staff = bearer(permissions={"product.read": "all"})
    assert sales.get(f"/v1/products/{draft['id']}", staff)["state"] == "draft"


@pytest.mark.parametrize(
    "asked", ["orders?needs_attention=true", "quotes?owner_id={}", "products?fields=standard_cost"]
)
def test_customers_cannot_ask_by_what_they_do_not_see(sales: Sales, asked: str) -> None:
    customer = customer_bearer(new_id(), *PERMISSIONS)
    assert sales.client.get(f"/v1/{asked.format(new_id())}", headers=customer).status_code == 422
