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

from tests.fieldservice.conftest import FieldService

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_documented(fieldservice: FieldService) -> None:
    fieldservice.visit(fieldservice.work_order(), fieldservice.technician())
    schema = schemathesis.openapi.from_wsgi("/openapi.json", fieldservice.service.app)
    probed = 0
    for found in schema.exclude(path_regex="^/v1/bus").get_all_operations():
        operation = found.ok()

        @given(operation.as_strategy())
        @settings(
            max_examples=2,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def probe(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=fieldservice.admin, checks=CHECKS)

        probe()
        probed += 1
    assert probed >= 25


def test_what_is_read_matches_its_schema(fieldservice: FieldService) -> None:
    """Random ids seldom exist, so the answers of records that do are checked as well."""
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    technician = fieldservice.technician()
    visit = fieldservice.visit(order, technician, override_reason="The customer waits")
    ids = {"work_order_id": order["id"], "appointment_id": visit["id"], "technician_id": technician["id"]}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", fieldservice.service.app)
    for path in (
        "/v1/work-orders",
        "/v1/work-orders/{work_order_id}",
        "/v1/appointments",
        "/v1/appointments/{appointment_id}",
        "/v1/technicians",
        "/v1/technicians/{technician_id}",
    ):
        case = schema[path]["GET"].Case(path_parameters=ids)
        answer = case.call(headers=fieldservice.admin)
        assert answer.status_code == 200, answer.text
        case.validate_response(answer, checks=CHECKS)
