"""What a declared route does with a request, from the outside."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from shared.db.engine import Database
from shared.db.plumbing import AUDIT_ENTRIES
from shared.testing.tokens import bearer
from tests.shared.web.conftest import Note, Suite

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
ADMIN = {"*": "all"}


def create(client: FlaskClient, subject: str = "Call Ada", **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/notes", json={"subject": subject, **more}, headers=bearer(ME, ADMIN))
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def edit(client: FlaskClient, note: dict[str, Any], subject: str, **headers: str) -> TestResponse:
    headers = headers or {"If-Match": f'"{note["version"]}"'}
    return client.patch(
        f"/v1/notes/{note['id']}", json={"subject": subject}, headers=bearer(ME, ADMIN) | headers
    )


def test_a_created_record_comes_back_with_its_address_and_version(client: FlaskClient) -> None:
    body = {"subject": "Call Ada", "worth": {"amount": "1250.5", "currency": "EUR"}}
    answer = client.post("/v1/notes", json=body, headers=bearer(ME, ADMIN))

    assert answer.status_code == 201
    assert answer.json["worth"] == {"amount": "1250.50", "currency": "EUR"}
    assert answer.json["created_at"].endswith("Z")
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert answer.headers["Location"] == f"/v1/notes/{answer.json['id']}"
    again = client.get(answer.headers["Location"], headers=bearer(ME, ADMIN))
    assert again.json == answer.json


def test_a_change_needs_the_version_it_is_based_on(client: FlaskClient) -> None:
    note = create(client)

    missing = client.patch(f"/v1/notes/{note['id']}", json={"subject": "x"}, headers=bearer(ME, ADMIN))
    assert (missing.status_code, missing.json["type"]) == (428, "/problems/precondition-required")
    for malformed in ("1", 'W/"1"', "*", '"1", "2"', '"x"'):
        assert edit(client, note, "x", **{"If-Match": malformed}).status_code == 400
    stale = edit(client, note, "x", **{"If-Match": '"7"'})
    assert (stale.status_code, stale.json["current_version"]) == (412, 1)

    changed = edit(client, note, "Call Grace")
    assert (changed.status_code, changed.json["subject"], changed.headers["ETag"]) == (
        200,
        "Call Grace",
        '"2"',
    )


def test_a_lost_race_gets_412(suite: Suite) -> None:
    note = create(suite.client)
    barrier = threading.Barrier(8)
    answers: list[int] = []

    def race(number: int) -> None:
        client = suite.client
        barrier.wait()
        answers.append(edit(client, note, f"Winner {number}").status_code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200, *[412] * 7]


def test_an_illegal_verb_says_the_state_and_what_is_allowed(client: FlaskClient) -> None:
    note = create(client)
    path, headers = f"/v1/notes/{note['id']}/close", bearer(ME, ADMIN)
    assert client.post(path, headers=headers | {"If-Match": '"1"'}).json["state"] == "closed"

    refused = client.post(path, headers=headers | {"If-Match": '"2"'})

    assert refused.status_code == 409
    assert refused.json["type"] == "/problems/illegal-state"
    assert (refused.json["state"], refused.json["allowed"]) == ("closed", ["reopen"])


def test_an_unknown_id_and_a_foreign_record_look_the_same(client: FlaskClient) -> None:
    note = create(client)
    foreign = client.get(f"/v1/notes/{note['id']}", headers=bearer(None, {"note.read": "own"}))
    unknown = client.get(f"/v1/notes/{uuid.uuid4()}", headers=bearer(None, {"note.read": "own"}))

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json["type"] == unknown.json["type"] == "/problems/not-found"
    assert foreign.json["title"] == unknown.json["title"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/subject"]),
        ({"subject": 7}, ["/subject"]),
        ({"subject": "   "}, ["/subject"]),
        ({"subject": "x" * 201}, ["/subject"]),
        ({"subject": "x", "colour": "red"}, ["/colour"]),
        ({"subject": "x", "id": str(ME)}, ["/id"]),
        ({"subject": "x", "worth": {"amount": "1.005", "currency": "EUR"}}, ["/worth/amount"]),
        ({"subject": "x", "worth": {"amount": "NaN", "currency": "XXX"}}, ["/worth/amount"]),
        ([1], [""]),
        ("text", [""]),
    ],
)
def test_wrong_fields_are_named_by_json_pointers(client: FlaskClient, body: Any, pointers: list[str]) -> None:
    answer = client.post("/v1/notes", json=body, headers=bearer(ME, ADMIN))

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == pointers


def test_a_body_where_none_is_read_is_refused_unless_empty(client: FlaskClient) -> None:
    note = create(client)
    headers = bearer(ME, ADMIN) | {"If-Match": '"1"'}

    refused = client.post(f"/v1/notes/{note['id']}/close", json={"force": True}, headers=headers)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/force")
    assert client.post(f"/v1/notes/{note['id']}/close", json={}, headers=headers).status_code == 200


def test_a_list_is_paged_to_the_end_without_loss_or_repetition(client: FlaskClient) -> None:
    for number in range(7):
        create(client, f"Note {number}")
    headers = bearer(ME, ADMIN)
    seen: list[str] = []
    path: str | None = "/v1/notes?limit=3&sort=-subject&fields=subject"
    while path is not None:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        seen += [item["subject"] for item in answer.json["items"]]
        assert all(set(item) == {"subject"} for item in answer.json["items"])
        link = answer.headers.get("Link")
        assert (link is None) == (answer.json["next"] is None)
        path = link[1 : link.index(">")] if link else None

    assert seen == [f"Note {number}" for number in reversed(range(7))]


def test_a_cursor_is_good_for_its_own_list_only(client: FlaskClient) -> None:
    for number in range(3):
        create(client, f"Note {number}")
    headers = bearer(ME, ADMIN)
    cursor = client.get("/v1/notes?limit=1", headers=headers).json["next"]

    assert client.get(f"/v1/notes?limit=2&cursor={cursor}", headers=headers).status_code == 200
    for query in (
        f"sort=-subject&cursor={cursor}",
        f"state=open&cursor={cursor}",
        f"cursor=x{cursor}",
        "cursor=",
        "cursor=é",
    ):
        answer = client.get(f"/v1/notes?{query}", headers=headers)
        assert (answer.status_code, answer.json["type"]) == (400, "/problems/invalid-cursor"), query


def test_lists_filter_by_allowed_names_only(client: FlaskClient) -> None:
    first, second, third = (create(client, f"Note {number}") for number in range(3))
    headers = bearer(ME, ADMIN)

    both = client.get(f"/v1/notes?ids={first['id']},{third['id']}", headers=headers)
    assert [item["id"] for item in both.json["items"]] == [first["id"], third["id"]]
    repeated = client.get(f"/v1/notes?ids={first['id']}&ids={second['id']}", headers=headers)
    assert len(repeated.json["items"]) == 2
    for query, pointer in [
        ("colour=red", "/colour"),
        ("state=burning", "/state"),
        ("sort=owner", "/sort"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=1e2", "/limit"),
        ("state=open&state=closed", "/state"),
        ("ids=1", "/ids/0"),
        ("fields=secret", "/fields"),
        ("fields=", "/fields"),
    ]:
        answer = client.get(f"/v1/notes?{query}", headers=headers)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer), query
    assert client.get(f"/v1/notes/{first['id']}?verbose=1", headers=headers).status_code == 422


def test_an_answer_can_be_cut_down_to_some_fields(client: FlaskClient) -> None:
    note = create(client)

    fields = "state,version,subject,id"
    answer = client.get(f"/v1/notes/{note['id']}?fields={fields}", headers=bearer(ME, ADMIN))

    values = {"id": note["id"], "version": 1, "subject": "Call Ada", "state": "open"}
    assert list(answer.json.items()) == list(values.items())
    assert answer.headers["ETag"] == '"1"'


def test_a_write_is_audited_with_its_actor_and_permission(client: FlaskClient, database: Database) -> None:
    note = create(client)
    client.get(f"/v1/notes/{note['id']}", headers=bearer(ME, ADMIN))

    with database.session() as session:
        entries = session.execute(select(AUDIT_ENTRIES)).all()

    assert [(entry.actor, entry.action, entry.object) for entry in entries] == [
        (f"user:{ME}", "note.create", f"note:{note['id']}")
    ]


def test_the_chain_comes_from_the_caller_or_is_new(client: FlaskClient, database: Database) -> None:
    chain = uuid.uuid4()
    headers = bearer(ME, ADMIN)
    answer = client.post(
        "/v1/notes", json={"subject": "x"}, headers=headers | {"X-Correlation-Id": str(chain)}
    )
    assert answer.headers["X-Correlation-Id"] == str(chain)
    other = client.post("/v1/notes", json={"subject": "y"}, headers=headers | {"X-Correlation-Id": "'; DROP"})
    assert uuid.UUID(other.headers["X-Correlation-Id"]) != chain

    with database.session() as session:
        chains = set(session.scalars(select(Note.root_correlation_id)))
    assert chains == {chain, uuid.UUID(other.headers["X-Correlation-Id"])}


def test_a_request_leaves_no_transaction_and_no_connection_behind(suite: Suite) -> None:
    create(suite.client)
    suite.client.get("/v1/notes", headers=bearer(ME, ADMIN))
    suite.client.get("/v1/notes/failures/bug", headers=bearer(ME, ADMIN))

    assert suite.runtime.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with suite.runtime.database.session() as session:
        idle = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        assert session.scalar(idle) == 0
        assert session.scalar(select(func.count()).select_from(Note)) == 1
