"""What is too much, too deep, or not what it says it is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from flask.testing import FlaskClient

from shared.testing.tokens import bearer
from shared.web.rate_limits import RateLimit

ADMIN = {"*": "all"}


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_a_body_over_one_mebibyte_is_refused(client: FlaskClient) -> None:
    body = '{"subject": "' + "x" * 1024 * 1024 + '"}'
    answer = client.post("/v1/notes", data=body, content_type="application/json", headers=bearer(None, ADMIN))

    assert (answer.status_code, answer.json["type"]) == (413, "/problems/payload-too-large")


def test_a_body_nested_deeper_than_32_is_refused(client: FlaskClient) -> None:
    def send(depth: int) -> int:
        body = f'{{"subject": {nested(depth)}}}'
        return client.post(
            "/v1/notes", data=body, content_type="application/json", headers=bearer(None, ADMIN)
        ).status_code

    assert send(31) == 422
    assert send(32) == 400
    assert send(100_000) == 400


def test_many_brackets_side_by_side_are_no_depth(client: FlaskClient) -> None:
    body = {"subject": [[] for _ in range(100)]}
    assert client.post("/v1/notes", json=body, headers=bearer(None, ADMIN)).status_code == 422


@pytest.mark.parametrize(
    "body", ['{"subject": "a\\u0000b"}', '{"a\\u0000": 1}', '[["\\u0000"]]', '{"subject": "a\x00b"}']
)
def test_nul_characters_in_a_body_are_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/v1/notes", data=body, content_type="application/json", headers=bearer(None, ADMIN))
    assert answer.status_code == 400


def test_an_escaped_backslash_before_u0000_is_no_nul(client: FlaskClient) -> None:
    answer = client.post("/v1/notes", json={"subject": "a\\u0000b"}, headers=bearer(None, ADMIN))
    assert answer.json["subject"] == "a\\u0000b"


@pytest.mark.parametrize(
    "path", ["/v1/notes?state=%00", "/v1/notes?%00=1", "/v1/notes/failures/%00", "/v1/%00"]
)
def test_nul_characters_in_path_and_query_are_refused(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers=bearer(None, ADMIN)).status_code == 400


@pytest.mark.parametrize(
    "body", ["{", "", "nope", '{"subject": "\\ud800"}', "NaN", '{"subject": 1e999}', "\ufeff{}"]
)
def test_broken_json_is_never_a_server_error(client: FlaskClient, body: str) -> None:
    answer = client.post("/v1/notes", data=body, content_type="application/json", headers=bearer(None, ADMIN))
    assert answer.status_code == (422 if body == "" else 400)


def test_a_body_of_another_media_type_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/notes", data="subject=x", headers=bearer(None, ADMIN))
    assert (answer.status_code, answer.json["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "a, b"},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "x" * 256},
        {"Idempotency-Key": "smörgås"},
    ],
)
def test_a_doubled_or_malformed_idempotency_key_is_refused(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = client.post("/v1/notes", json={"subject": "x"}, headers=bearer(None, ADMIN) | headers)
    assert answer.status_code == 400


def test_unknown_addresses_and_methods_are_problem_documents(client: FlaskClient) -> None:
    unknown = client.get("/v1/nothing")
    assert (unknown.status_code, unknown.json["type"]) == (404, "/problems/not-found")
    method = client.put("/v1/notes")
    assert (method.status_code, method.json["type"]) == (405, "/problems/method-not-allowed")
    assert "POST" in method.headers["Allow"]


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/nothing", "/livez", "/docs", "/openapi.json"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_client_over_its_rate_is_told_when_to_go_on(with_settings: Callable[..., FlaskClient]) -> None:
    client = with_settings(rate_limit="3/minute")
    mine = bearer(None, ADMIN)
    answers = [client.get("/v1/notes", headers=mine) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json["type"] == "/problems/too-many-requests"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert client.get("/v1/notes", headers=bearer(None, ADMIN)).status_code == 200


def test_public_doors_are_limited_by_address(with_settings: Callable[..., FlaskClient]) -> None:
    client = with_settings(public_rate_limit="2/minute")

    def knock(address: str) -> int:
        return client.post(
            "/public/v1/answers/x", json={"stars": 1}, environ_base={"REMOTE_ADDR": address}
        ).status_code

    assert [knock("192.0.2.1") for _ in range(3)] == [404, 404, 429]
    assert knock("192.0.2.2") == 404


def _knock_through(client: FlaskClient, forwarded: str) -> int:
    headers = {"X-Forwarded-For": forwarded}
    return client.post("/public/v1/answers/x", json={"stars": 1}, headers=headers).status_code


def test_behind_a_proxy_the_address_is_the_one_that_it_saw(with_settings: Callable[..., FlaskClient]) -> None:
    client = with_settings(public_rate_limit="1/minute", proxies=1)

    assert [_knock_through(client, f"198.51.100.{n}, 192.0.2.1") for n in range(2)] == [404, 429]
    assert _knock_through(client, "192.0.2.2") == 404


def test_without_a_proxy_nobody_says_where_they_come_from(with_settings: Callable[..., FlaskClient]) -> None:
    client = with_settings(public_rate_limit="1/minute")

    assert [_knock_through(client, f"192.0.2.{n}") for n in range(2)] == [404, 429]


def test_a_rate_allows_its_burst_and_then_its_pace() -> None:
    moments = [0.0]
    rate = RateLimit("10/second", lambda: moments[0])

    assert [rate.take("a") for _ in range(11)] == [0] * 10 + [1]
    moments[0] = 0.1
    assert [rate.take("a") for _ in range(2)] == [0, 1]
    moments[0] = 1000.0
    assert [rate.take("a") for _ in range(11)] == [0] * 10 + [1]


def test_a_steady_caller_at_its_rate_is_never_refused() -> None:
    moments = [number / 600 for number in range(6000)]
    clock = iter(moments)
    rate = RateLimit("600/second", lambda: next(clock))

    assert [rate.take("a") for _ in pairwise(moments)] == [0] * 5999


@pytest.mark.parametrize("form", ["", "600", "0/second", "600/fortnight", "-1/second", "1.5/second"])
def test_a_rate_of_another_form_stops_the_start(form: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        RateLimit(form)
