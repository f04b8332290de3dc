"""The OpenAPI document is true of the records that there are after a day of work."""

from __future__ import annotations

import schemathesis

from shared.testing.conformance import CHECKS
from tests.erp.conftest import Connector


def test_what_is_read_matches_its_schema(erp: Connector) -> None:
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
