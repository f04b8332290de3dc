"""An equal POST sent again has no second effect and gets the first answer."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shared.db.engine import Database
from shared.db.locks import hold
from shared.db.plumbing import IDEMPOTENCY_KEYS
from shared.testing.tokens import bearer
from tests.shared.web.conftest import Note, Suite

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
ADMIN = {"*": "all"}


def send(client: FlaskClient, key: str, subject: str = "x", **token: Any) -> TestResponse:
    headers = bearer(ME, ADMIN, **token) | {"Idempotency-Key": key}
    return client.post("/v1/notes", json={"subject": subject}, headers=headers)


def count(database: Database, table: Any = Note) -> int:
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_repeat_gets_the_first_answer(client: FlaskClient, database: Database) -> None:
    first, again = send(client, "k1"), send(client, "k1")

    assert first.status_code == again.status_code == 201
    assert again.data == first.data
    for header in ("ETag", "Location", "Content-Type"):
        assert again.headers[header] == first.headers[header]
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (
        None,
        "true",
    )
    assert count(database) == 1


def test_another_body_under_the_same_key_is_refused(client: FlaskClient, database: Database) -> None:
    send(client, "k1")
    reused = send(client, "k1", "y")
    assert (reused.status_code, reused.json["type"]) == (422, "/problems/idempotency-key-reused")
    assert count(database) == 1


def test_another_path_under_the_same_key_is_refused(client: FlaskClient) -> None:
    note = send(client, "k1").json
    headers = bearer(ME, ADMIN) | {"Idempotency-Key": "k1", "If-Match": '"1"'}
    assert client.post(f"/v1/notes/{note['id']}/close", headers=headers).status_code == 422


def test_keys_of_different_clients_do_not_meet(client: FlaskClient, database: Database) -> None:
    send(client, "k1", client_id="one")
    assert "Idempotency-Replayed" not in send(client, "k1", client_id="two").headers
    assert count(database) == 2


def test_a_failed_request_stores_nothing(client: FlaskClient, database: Database) -> None:
    assert send(client, "k1", "").status_code == 422
    assert count(database, IDEMPOTENCY_KEYS) == 0
    assert send(client, "k1").status_code == 201


def test_a_refusal_that_the_view_makes_itself_stores_nothing(
    suite: Suite, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = getattr(suite.app.view_functions["notes.create_note"], "operation")  # noqa: B009
    with monkeypatch.context() as patch:
        patch.setattr(operation, "view", lambda body: Response(status=422))
        assert send(suite.client, "k1").status_code == 422
    assert count(database, IDEMPOTENCY_KEYS) == 0
    assert send(suite.client, "k1").status_code == 201


def test_twenty_equal_requests_at_once_make_one_effect(suite: Suite, database: Database) -> None:
    barrier = threading.Barrier(20)
    answers: list[TestResponse] = []

    def race() -> None:
        client = suite.client
        barrier.wait()
        answers.append(send(client, "k1"))

    threads = [threading.Thread(target=race) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(database) == 1
    # Those that came too early were told so, or found no connection free; none made an effect.
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    refused = {answer.json["type"] for answer in answers if answer.status_code == 409}
    assert refused <= {"/problems/request-in-progress"}
    later = [send(suite.client, "k1") for _ in range(20)]
    assert {answer.status_code for answer in later} == {201}
    assert len({answer.data for answer in (*later, *(a for a in answers if a.status_code == 201))}) == 1
    assert count(database) == 1


def test_a_request_in_progress_is_told_to_ask_again(suite: Suite, database: Database) -> None:
    with database.session() as session:
        hold(session, f"idempotency tests {ME} k1")
        answer = send(suite.client, "k1")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/request-in-progress")
    assert answer.headers["Retry-After"] == "1"
    assert send(suite.client, "k1").status_code == 201


def test_an_answer_that_a_crash_swallowed_is_there_for_the_repeat(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Session.commit

    def commit_and_crash(self: Session) -> None:
        commit(self)
        raise OperationalError("COMMIT", {}, Exception("connection lost"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", commit_and_crash)
        assert send(client, "k1").status_code == 503

    repeat = send(client, "k1")

    assert (repeat.status_code, repeat.json["version"]) == (201, 1)
    assert repeat.headers["ETag"] == '"1"'
    assert repeat.headers["Idempotency-Replayed"] == "true"
    assert count(database) == 1


def test_a_repeat_of_what_was_answered_with_a_secret_names_what_was_done(
    client: FlaskClient, database: Database
) -> None:
    first = send(client, "k1")
    with database.engine.begin() as connection:
        connection.execute(update(IDEMPOTENCY_KEYS).values(status=None, answer=None, answer_headers=None))
    repeat = send(client, "k1")
    assert (repeat.status_code, repeat.json["type"]) == (409, "/problems/answer-lost")
    assert repeat.json["effects"] == [f"note:{first.json['id']}"]
    assert count(database) == 1


def age(database: Database, by: timedelta) -> None:
    with database.engine.begin() as connection:
        earlier = IDEMPOTENCY_KEYS.c.created_at - by
        connection.execute(update(IDEMPOTENCY_KEYS).values(created_at=earlier))


def test_a_key_is_good_for_24_hours(client: FlaskClient, database: Database) -> None:
    send(client, "k1")
    age(database, timedelta(hours=23, minutes=59))
    assert send(client, "k1").headers["Idempotency-Replayed"] == "true"
    age(database, timedelta(minutes=2))
    assert "Idempotency-Replayed" not in send(client, "k1", "y").headers
    assert count(database) == 2


def test_a_replay_is_authorised_like_any_request(client: FlaskClient) -> None:
    send(client, "k1")
    headers = bearer(ME, {"note.read": "all"}) | {"Idempotency-Key": "k1"}
    assert client.post("/v1/notes", json={"subject": "x"}, headers=headers).status_code == 403


def test_without_the_header_nothing_is_kept(client: FlaskClient, database: Database) -> None:
    client.post("/v1/notes", json={"subject": "x"}, headers=bearer(ME, ADMIN))
    assert count(database, IDEMPOTENCY_KEYS) == 0
