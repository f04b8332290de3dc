"""schemathesis checks: an answer of a service is one that its OpenAPI document names."""

from __future__ import annotations

from typing import Any

import orjson
import schemathesis
from schemathesis.checks import CheckContext, CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

__all__ = ["CHECKS"]

_LINES = "application/x-ndjson"


@schemathesis.serializer(_LINES)
def _to_line(_: schemathesis.SerializationContext, row: Any) -> bytes:
    """A body of one line."""
    return orjson.dumps(row)


@schemathesis.deserializer(_LINES)
def _from_line(_: schemathesis.DeserializationContext, response: schemathesis.Response) -> Any:
    """The only line of the answer to it."""
    return orjson.loads(response.content)


def _documented_answer(
    ctx: CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Every operation documents refusals as `default`; an answer that is none must be named by its status, and
    have the body that is documented, or none where none is."""
    status = response.status_code
    documented = case.operation.definition.raw["responses"]
    if status < 400:
        assert str(status) in documented, f"{status} is not documented, only {', '.join(documented)}"
        content = documented[str(status)].get("content")
        assert bool(response.content) <= bool(content), f"the body of {status} is not documented"
    elif str(status) not in documented:
        content_type = response.headers["content-type"]
        assert content_type == ["application/problem+json"], f"{status} is {content_type}"
    return None


CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    _documented_answer,
    content_type_conformance,
    response_schema_conformance,
]
"""No 5xx, no undocumented status, the documented content type and the documented body."""
