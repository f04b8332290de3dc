"""The OpenAPI document is true: whatever is sent, the answer is one that it names."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.erp.open_events import routes
from tests.erp.conftest import Connector, an_order, order_line

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_documented(erp: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_wait_for_events", routes._read)
    erp.submit()
    erp.submit(an_order(order_line("RC-500", "2", "10.00", tax_code="AT20")))
    erp.call()
    erp.pass_time(4)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", erp.service.app)
    probed = 0
    for found in schema.exclude(path_regex="^/v1/bus").get_all_operations():
        operation = found.ok()

        @given(operation.as_strategy())
        @settings(
            max_examples=10,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def probe(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=erp.headers, checks=CHECKS)

        probe()
        probed += 1
    assert probed >= 13


def test_what_is_read_matches_its_schema(erp: Connector) -> None:
    """Random ids seldom exist, so the answers of records that do are checked as well."""
    order_id = erp.submit()
    erp.call()
    erp.pass_time(4)
    script = erp.script("accept")
    schema = schemathesis.openapi.from_wsgi("/openapi.json", erp.service.app)
    for path in (
        "/v1/links",
        f"/v1/links/{order_id}",
        "/v1/mappings/tax",
        "/v1/events",
        "/v1/demo-erp/documents",
    ):
        template = path.replace(order_id, "{order_id}").replace("/tax", "/{kind}")
        case = schema[template]["GET"].Case(path_parameters={"order_id": order_id, "kind": "tax"})
        answer = case.call(headers=erp.headers)
        assert answer.status_code == 200, answer.text
        case.validate_response(answer, checks=CHECKS)
    assert script["id"] == 1
