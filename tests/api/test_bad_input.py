"""What no service takes is refused by each in the same way: with a problem document that says why."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from shared.web.bodies import MAX_BODY
from shared.web.operation import PUBLIC, Operation
from shared.web.schema import OpenSchema
from tests.api.conftest import Api

JSON = "application/json"
MADE_BY_FACTS = {"/v1/users", "/v1/roles", "/v1/work-orders", "/v1/pipelines"}


def routes(api: Api, fits: Callable[[Operation], bool]) -> Iterator[tuple[str, str]]:
    """Method and address of every route that asks for a token and `fits`; its records are random."""
    app = api.service.app
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if isinstance(operation, Operation) and operation.permission is not PUBLIC and fits(operation):
            address = re.sub("<int:[^>]*>", "7", rule.rule)
            yield operation.method, re.sub("<[^>]*>", lambda _: str(uuid.uuid4()), address)


def takes_json(operation: Operation) -> bool:
    """The body is JSON, and nothing unknown is let pass in it."""
    return any(
        location == "json" and not isinstance(schema, OpenSchema) for schema, location in operation.arguments
    )


def refused(api: Api, status: int, problem: str, method: str, address: str, **request: Any) -> Any:
    """The problem document of a request that must be refused with `status`."""
    headers = {"If-Match": '"1"', **api.admin, **request.pop("headers", {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    answer = api.service.client.open(address, method=method, headers=headers, **request)
    told = (answer.status_code, answer.content_type, (answer.json or {}).get("type"))
    assert told == (status, "application/problem+json", f"/problems/{problem}"), (
        method,
        address,
        answer.text,
    )
    assert answer.json["status"] == status
    assert answer.json["detail"]
    assert re.fullmatch("[0-9a-f]{32}", answer.json["trace_id"])
    return answer.json


def test_malformed_json(empty_api: Api) -> None:
    for body in ("{", "[1,", "NaN", '{"a": "\\ud800"}', b"\xff\xfe{}", "[" * 40 + "]" * 40):
        for route in routes(empty_api, takes_json):
            refused(empty_api, 400, "bad-request", *route, data=body, content_type=JSON)


def test_a_body_that_is_no_object(empty_api: Api) -> None:
    for body in ("[]", "null", "7", '"text"'):
        for route in routes(empty_api, takes_json):
            refused(empty_api, 422, "invalid", *route, data=body, content_type=JSON)


def test_unknown_fields(empty_api: Api) -> None:
    for route in routes(empty_api, takes_json):
        problem = refused(empty_api, 422, "invalid", *route, json={"no_such/field": 1})
        assert "/no_such~1field" in [error["pointer"] for error in problem["errors"]], route


def test_a_body_where_none_is_taken(empty_api: Api) -> None:
    def takes_nothing(operation: Operation) -> bool:
        return operation.method == "POST" and operation.max_body is None and not takes_body(operation)

    for route in routes(empty_api, takes_nothing):
        problem = refused(empty_api, 422, "invalid", *route, json={"unread": 1})
        assert {"pointer": "/unread", "detail": "Unknown field."} in problem["errors"]


def takes_body(operation: Operation) -> bool:
    return any(location in ("json", "form") for _, location in operation.arguments)


def test_unknown_query_parameters(empty_api: Api) -> None:
    def reads(operation: Operation) -> bool:
        return operation.method == "GET"

    for method, address in routes(empty_api, reads):
        problem = refused(empty_api, 422, "invalid", method, f"{address}?no_such=1")
        assert "/no_such" in [error["pointer"] for error in problem["errors"]], address


def test_an_oversize_body(empty_api: Api) -> None:
    body = b'{"a": "' + b"x" * MAX_BODY + b'"}'
    for route in routes(empty_api, takes_json):
        refused(empty_api, 413, "payload-too-large", *route, data=body, content_type=JSON)


def test_a_wrong_content_type(empty_api: Api) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        for route in routes(empty_api, takes_json):
            refused(empty_api, 415, "unsupported-media-type", *route, data=b"{}", content_type=content_type)


def test_a_missing_or_unreadable_token(empty_api: Api) -> None:
    for token in (None, "", "Bearer", "Bearer x.y.z", "Basic dTpw", "Bearer a, Bearer b", "Bearer \xff"):
        for route in routes(empty_api, lambda operation: True):
            refused(empty_api, 401, "unauthorized", *route, headers={"Authorization": token})


def test_unknown_routes(empty_api: Api) -> None:
    for address in ("/v1/no-such-thing", "/v1", "/nothing", "/v1/../etc/passwd", "/problems/none", "/v1/%ff"):
        for method in ("GET", "POST"):
            if (method, address) != ("POST", "/problems/none"):
                refused(empty_api, 404, "not-found", method, address)


def test_methods_that_are_not_allowed(empty_api: Api) -> None:
    for address in ("/openapi.json", "/problems/invalid", "/livez"):
        refused(empty_api, 405, "method-not-allowed", "DELETE", address)


def changes_version(operation: Operation) -> bool:
    return operation.if_match


def test_a_missing_if_match(empty_api: Api) -> None:
    for route in routes(empty_api, changes_version):
        refused(empty_api, 428, "precondition-required", *route, json={}, headers={"If-Match": None})


def test_an_if_match_that_is_no_version(empty_api: Api) -> None:
    for tag in ("*", "1", 'W/"1"', '"1", "2"', '"one"', '"-1"', '""', '"' + "9" * 19 + '"', '"\xb2"'):
        for route in routes(empty_api, changes_version):
            refused(empty_api, 400, "bad-request", *route, json={}, headers={"If-Match": tag})


def test_nul_characters(empty_api: Api) -> None:
    refused(empty_api, 400, "bad-request", "GET", "/v1/a%00b")
    for method, address in routes(empty_api, takes_json):
        for body in ('{"name": "a\\u0000b"}', '{"a\\u0000": 1}'):
            refused(empty_api, 400, "bad-request", method, address, data=body, content_type=JSON)
        refused(empty_api, 400, "bad-request", method, f"{address}?q=%00", json={})


def test_a_stale_if_match(api: Api) -> None:
    """Every record that the facts made, a list tells of and PATCH changes."""
    patched = {
        address.rpartition("/")[0] for method, address in routes(api, changes_version) if method == "PATCH"
    }
    records = [
        f"{address}/{item['id']}"
        for _, address in routes(api, lambda operation: operation.paged)
        if address in patched
        for item in api.service.client.get(address, headers=api.admin).json["items"]
    ]
    for record in records:
        refused(api, 412, "stale", "PATCH", record, json={}, headers={"If-Match": '"999"'})
    assert records or not patched & MADE_BY_FACTS
