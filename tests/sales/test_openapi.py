"""The OpenAPI document is true of the records that there are after a day of work."""

from __future__ import annotations

import schemathesis

from shared.testing.conformance import CHECKS
from tests.sales.conftest import Sales


def test_what_is_read_matches_its_schema(sales: Sales) -> None:
    order = sales.order()
    activity = sales.done("/v1/activities", {"type": "task", "subject": "x"})
    ids = {
        "order_id": order["id"],
        "opportunity_id": order["opportunity_id"],
        "quote_id": order["quote_id"],
        "account_id": order["account_id"],
        "activity_id": activity["id"],
        "product_id": order["lines"][0]["product_id"],
    }
    schema = schemathesis.openapi.from_wsgi("/openapi.json", sales.service.app)
    for path in (
        "/v1/orders/{order_id}", "/v1/orders/{order_id}/handoff", "/v1/opportunities/{opportunity_id}",
        "/v1/quotes/{quote_id}", "/v1/accounts/{account_id}", "/v1/activities/{activity_id}",
        "/v1/products/{product_id}", "/v1/orders", "/v1/opportunities", "/v1/quotes", "/v1/accounts",
        "/v1/activities", "/v1/products", "/v1/pipelines", "/v1/opportunities/board", "/v1/tax-rates",
    ):  # fmt: skip
        case = schema[path]["GET"].Case(path_parameters=ids)
        answer = case.call(headers=sales.admin)
        assert answer.status_code == 200, answer.text
        case.validate_response(answer, checks=CHECKS)
