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

from tests.marketing.conftest import Marketing

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_documented(marketing: Marketing) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", marketing.service.app)
    probed = 0
    for found in schema.exclude(path_regex="^/v1/bus").get_all_operations():
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
            case.call_and_validate(headers=marketing.marketer, checks=CHECKS)

        probe()
        probed += 1
    assert probed == 22


def test_what_is_read_matches_its_schema(marketing: Marketing) -> None:
    """Random ids seldom exist, so the answers of records that do are checked as well."""
    lead, double = marketing.hot(), marketing.lead(email="i.brandt@elsewhere.example")
    held = marketing.lead(email="joe@yopmail.com", phone=None, given_name="asdfgh")
    merged = marketing.lead(email="otto@kern.example", phone=None)
    marketing.act(double, "merge", {"lead_id": merged["id"]})
    form = marketing.form()
    [model] = marketing.get("/v1/scoring-models")["items"]
    schema = schemathesis.openapi.from_wsgi("/openapi.json", marketing.service.app)
    reads = [
        ("/v1/leads", {}),
        ("/v1/forms", {}),
        ("/v1/scoring-models", {}),
        ("/v1/forms/{form_id}", {"form_id": form["id"]}),
        ("/public/v1/forms/{form_id}", {"form_id": form["id"]}),
        ("/v1/scoring-models/{model_id}", {"model_id": model["id"]}),
        ("/v1/leads/{lead_id}/duplicates", {"lead_id": lead["id"]}),
        *(("/v1/leads/{lead_id}", {"lead_id": each["id"]}) for each in (lead, double, held, merged)),
    ]
    for path, ids in reads:
        case = schema[path]["GET"].Case(path_parameters=ids)
        case.call_and_validate(headers=marketing.marketer, checks=CHECKS)
