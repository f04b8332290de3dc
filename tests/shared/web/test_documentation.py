"""Health, the OpenAPI document and the pages around it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from shared.db.engine import Database
from shared.service import Runtime, Service
from shared.web.documentation import openapi_document
from tests.shared.web.conftest import Suite, make_app


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json
    return found


def test_a_process_is_alive_whatever_happens_to_its_database(runtime: Runtime) -> None:
    nowhere = Database.connect("postgresql://nobody@127.0.0.1:1/none", application="test")
    client = make_app(replace(runtime, database=nowhere)).test_client()

    assert client.get("/livez").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/startupz").status_code) == (503, 503)


def test_a_process_is_ready_when_its_database_is_migrated(suite: Suite, database: Database) -> None:
    assert (suite.client.get("/readyz").status_code, suite.client.get("/startupz").status_code) == (200, 200)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version_shared SET version_num = '0001'"))
    answer = suite.client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (
        503,
        "the database is not migrated to this version",
    )


def test_behind_a_gateway_the_page_finds_its_files_below_the_prefix(runtime: Runtime) -> None:
    behind = replace(runtime, settings=replace(runtime.settings, proxies=1))
    page = make_app(behind).test_client().get("/docs", headers={"X-Forwarded-Prefix": "/api/notes"}).text
    assert 'href="/api/notes/openapi.json"' in page
    assert 'src="/api/notes/docs/docs.js"' in page
    assert '="/docs' not in page
    assert 'src="/docs/docs.js"' in make_app(runtime).test_client().get("/docs").text


def test_every_route_is_documented_with_its_permission(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    operation = document["paths"]["/v1/notes/{note_id}"]["patch"]
    assert operation["x-permission"] == "note.edit"
    assert operation["summary"] == "Change a note."
    names = {(p["in"], p["name"], p["required"]) for p in operation["parameters"]}
    assert ("header", "If-Match", True) in names
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference == "#/components/schemas/NoteInChanges"
    assert operation["responses"]["default"] == {"$ref": "#/components/responses/DEFAULT_ERROR"}
    public = document["paths"]["/public/v1/answers/{token}"]["post"]
    assert public["security"] == []
    assert "x-permission" not in public
    assert document["security"] == [{"bearer": []}]


def test_a_page_of_items_and_its_parameters_are_documented(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/notes"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names == {"state", "ids", "sort", "limit", "cursor", "fields"}
    schemas = document["components"]["schemas"]
    assert schemas["NoteOutPage"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/NoteOut"}


def test_the_forms_of_our_fields_are_documented(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["NoteOut"]["properties"]
    assert (fields["id"]["type"], fields["id"]["format"]) == ("string", "uuid")
    assert fields["created_at"]["format"] == "date-time"
    assert fields["worth"]["required"] == ["amount", "currency"]
    read_only = document["components"]["schemas"]["NoteIn"]["properties"]["id"]
    assert read_only["readOnly"] is True


def test_errors_are_documented_as_problem_documents(document: dict[str, Any]) -> None:
    response = document["components"]["responses"]["DEFAULT_ERROR"]
    assert list(response["content"]) == ["application/problem+json"]
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "trace_id",
    }


def test_the_document_is_made_without_a_database() -> None:
    service = Service("notes", create_app=make_app)
    made = orjson.loads(openapi_document(service))
    assert "/v1/notes" in made["paths"]
    assert openapi_document(service) == openapi_document(service)


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.mimetype == "text/html"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith("/")
        assert client.get(address).status_code == 200
    assert "http" not in client.get("/docs/docs.js").text
    assert client.get("/docs/secrets.py").status_code == 404
