"""The OpenAPI document is true: whatever is sent, the answer is one that it names."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.identity.processes.first_run import first_run
from services.identity.wiring import SERVICE
from shared.testing.services import RunningService
from shared.testing.tokens import bearer, jwks_file

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_documented(running_service: Callable[..., RunningService], tmp_path: Path) -> None:
    service = running_service(SERVICE, jwks_file=jwks_file(tmp_path))
    first_run(service.runtime)
    headers = bearer(permissions={"*": "all"}, mfa_at=int(time.time()))
    schema = schemathesis.openapi.from_wsgi("/openapi.json", service.app)
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
            case.call_and_validate(headers=headers, checks=CHECKS)

        probe()
        probed += 1
    assert probed > 40
