"""The OpenAPI document is true: whatever is sent, the answer is one that it names."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.sales.conftest import Sales

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_documented(sales: Sales) -> None:
    sales.order()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", sales.service.app)
    probed = 0
    for found in schema.exclude(path_regex="^/v1/(bus|imports)").get_all_operations():
        operation = found.ok()

        @given(operation.as_strategy())
        @settings(
            max_examples=3,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def probe(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=sales.admin, checks=CHECKS)

        probe()
        probed += 1
    assert probed >= 55


def test_what_is_read_matches_its_schema(sales: Sales) -> None:
    """Random ids seldom exist, so the answers of records that do are checked as well."""
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
