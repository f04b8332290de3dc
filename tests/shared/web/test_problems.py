"""Errors of every kind as problem documents, none of which says more than it should."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm.exc import StaleDataError

from shared.db.engine import Database
from shared.kernel.errors import Conflict, DomainError, IllegalState, Retriable
from shared.service import Runtime
from shared.settings import Settings
from shared.testing.tokens import bearer
from shared.web.problems import problem_types, status_of
from tests.shared.web.conftest import FAILURES, Suite, make_app

ADMIN = {"*": "all"}
INTERNAL = ("SELEC", "secret_column", "Traceback", "psycopg", "sqlalchemy", "notes", "division", "INSERT")


@pytest.mark.parametrize(
    ("kind", "status", "slug", "retry_after"),
    [
        ("invalid", 422, "invalid", None),
        ("unavailable", 503, "unavailable", "7"),
        ("slow", 503, "unavailable", "5"),
        ("constraint", 409, "conflict", None),
        ("too-big", 422, "invalid", None),
        ("syntax", 500, "internal-error", None),
        ("bug", 500, "internal-error", None),
    ],
)
def test_a_failure_is_a_problem_document_without_inner_details(
    client: FlaskClient, kind: str, status: int, slug: str, retry_after: str | None
) -> None:
    path = f"/v1/notes/failures/{kind}"
    answer = client.get(path, headers=bearer(None, ADMIN))

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == f"/problems/{slug}"
    assert (answer.json["status"], answer.json["instance"]) == (status, path)
    assert len(answer.json["trace_id"]) == 32
    assert answer.headers.get("Retry-After") == retry_after
    shown = str(answer.json).replace(path, "")
    assert [word for word in INTERNAL if word in shown] == []


def test_a_domain_error_keeps_its_pointers(client: FlaskClient) -> None:
    answer = client.get("/v1/notes/failures/invalid", headers=bearer(None, ADMIN))
    assert answer.json["errors"] == [{"pointer": "/subject", "detail": "Too dull."}]


def test_a_database_that_is_away_is_503_with_retry_after(runtime: Runtime) -> None:
    nowhere = Database.connect("postgresql://nobody@127.0.0.1:1/none", application="test")
    client = make_app(replace(runtime, database=nowhere)).test_client()

    answer = client.get("/v1/notes", headers=bearer(None, ADMIN))

    assert (answer.status_code, answer.json["type"]) == (503, "/problems/unavailable")
    assert answer.headers["Retry-After"] == "2"


def test_a_lost_connection_costs_one_request(client: FlaskClient, settings: Settings) -> None:
    headers = bearer("018f0000-0000-7000-8000-000000000001", ADMIN)
    assert client.get("/v1/notes", headers=headers).status_code == 200
    other = Database.connect(settings.database_url, application="test")
    with other.session() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other.close()

    assert [client.get("/v1/notes", headers=headers).status_code for _ in range(2)] == [503, 200]


def test_an_exhausted_pool_is_503(suite: Suite) -> None:
    engine = suite.runtime.database.engine
    suite.client.get("/v1/notes", headers=bearer("018f0000-0000-7000-8000-000000000001", ADMIN))
    held = [engine.connect() for _ in range(12)]
    try:
        answer = suite.client.get("/v1/notes", headers=bearer("018f0000-0000-7000-8000-000000000001", ADMIN))
    finally:
        for connection in held:
            connection.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_stale_row_is_412(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_race() -> None:
        raise StaleDataError("UPDATE statement on table 'notes' expected to update 1 row(s)")

    monkeypatch.setitem(FAILURES, "stale", lose_the_race)
    answer = client.get("/v1/notes/failures/stale", headers=bearer(None, ADMIN))
    assert (answer.status_code, answer.json["type"]) == (412, "/problems/stale")
    assert "UPDATE" not in answer.text


def test_a_domain_errors_kind_decides_its_status() -> None:
    class PageTurned(Conflict):
        """The page has been turned."""

        problem = "page-turned"

    class Busy(Retriable):
        """Come back later."""

    assert [status_of(kind) for kind in (PageTurned, IllegalState, Busy, DomainError)] == [
        409,
        409,
        503,
        409,
    ]
    assert problem_types()["page-turned"].says == "The page has been turned."


def test_every_problem_type_has_a_page(client: FlaskClient) -> None:
    for slug in (
        "stale",
        "not-permitted",
        "invalid-cursor",
        "idempotency-key-reused",
        "answer-lost",
        "internal-error",
    ):
        page = client.get(f"/problems/{slug}")
        assert (page.status_code, page.mimetype) == (200, "text/html")
        assert f"/problems/{slug}" in page.text
        assert "`" not in page.text
        assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert client.get("/problems/no-such-thing").status_code == 404


def test_the_trace_of_the_caller_is_named(client: FlaskClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = bearer(None, ADMIN) | {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert client.get("/v1/notes/failures/bug", headers=headers).json["trace_id"] == trace
