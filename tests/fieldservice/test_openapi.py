"""The OpenAPI document is true of the records that there are after a day of work."""

from __future__ import annotations

import schemathesis

from shared.testing.conformance import CHECKS
from tests.fieldservice.conftest import FieldService


def test_what_is_read_matches_its_schema(fieldservice: FieldService) -> None:
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
