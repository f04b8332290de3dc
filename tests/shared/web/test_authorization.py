"""Who gets in: tokens on requests, permissions, second factors, and what the service knows of the caller."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, insert

from shared.access.principal import Principal
from shared.access.tables import PRINCIPALS, REVOKED_SESSIONS, ROLE_VERSIONS
from shared.db.engine import Database
from shared.testing.tokens import bearer, mint
from shared.web.application import Subjects
from shared.web.problems import Unauthorized

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")


def remember(database: Database, **values: Any) -> None:
    row = {"id": ME, "kind": "staff", "display_name": "Ada", "active": True, "epoch": 1, "version": 1}
    with database.engine.begin() as connection:
        connection.execute(insert(PRINCIPALS).values(row | values))


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x, Bearer y", "Bearer a b", "Bearer é", "Token x"],
)
def test_without_one_good_token_nothing_is_reachable(client: FlaskClient, header: str | None) -> None:
    answer = client.get("/v1/notes", headers={} if header is None else {"Authorization": header})

    assert (answer.status_code, answer.json["type"]) == (401, "/problems/unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_scheme_is_read_in_any_case(client: FlaskClient) -> None:
    headers = {"Authorization": f"bearer {mint(permissions={'note.read': 'all'})}"}
    assert client.get("/v1/notes", headers=headers).status_code == 200


def test_a_refusal_names_the_missing_permission(client: FlaskClient) -> None:
    answer = client.post("/v1/notes", json={"subject": "x"}, headers=bearer(ME, {"note.read": "all"}))

    assert (answer.status_code, answer.json["permission"]) == (403, "note.create")
    assert "note.create" in answer.json["detail"]


def test_the_permission_is_checked_before_the_body_and_the_version(client: FlaskClient) -> None:
    answer = client.patch(f"/v1/notes/{uuid.uuid4()}", data="broken", headers=bearer(ME, {}))
    assert answer.status_code == 403


def test_a_portal_login_is_kept_to_portal_permissions(client: FlaskClient) -> None:
    portal = {
        "kind": "portal",
        "account_id": str(uuid.uuid4()),
        "contact_id": str(uuid.uuid4()),
        "sight": "own",
    }
    headers = bearer(ME, {"*": "all"}, **portal)

    assert client.get("/v1/notes", headers=headers).status_code == 403
    assert client.get("/v1/notes/mine", headers=headers).json["subject"] == str(ME)


def test_a_step_up_permission_needs_a_fresh_second_factor(client: FlaskClient) -> None:
    path = f"/v1/notes/{uuid.uuid4()}"
    for stale in (None, int(time.time()) - 601):
        refused = client.delete(path, headers=bearer(ME, {"*": "all"}, mfa_at=stale))
        assert refused.status_code == 401
        assert 'error="insufficient_user_authentication", max_age=600' in refused.headers["WWW-Authenticate"]
    fresh = bearer(ME, {"*": "all"}, mfa_at=int(time.time()) - 30)
    assert client.delete(path, headers=fresh).status_code == 204


def test_a_token_older_than_the_known_epoch_is_refused(client: FlaskClient, database: Database) -> None:
    remember(database, epoch=3)
    assert client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, epoch=2)).status_code == 401
    assert client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, epoch=3)).status_code == 200


def test_an_inactive_subject_is_refused_and_an_unknown_one_is_not(
    client: FlaskClient, database: Database
) -> None:
    remember(database, active=False)
    assert client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, epoch=9)).status_code == 401
    assert client.get("/v1/notes", headers=bearer(None, {"*": "all"})).status_code == 200


def test_a_token_that_names_an_older_version_of_a_role_is_refused(
    client: FlaskClient, database: Database
) -> None:
    with database.engine.begin() as connection:
        row = {"name": "clerk", "role_id": ME, "role_version": 3, "version": 3}
        connection.execute(insert(ROLE_VERSIONS).values(row))
    held = {"unknown": 1}
    for clerk, status in ((2, 401), (3, 200), (4, 200)):
        headers = bearer(ME, {"*": "all"}, roles={**held, "clerk": clerk})
        assert client.get("/v1/notes", headers=headers).status_code == status
    assert client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, roles=held)).status_code == 200


def test_the_tokens_of_a_revoked_session_are_refused_and_no_others(
    client: FlaskClient, database: Database
) -> None:
    session_id = uuid.uuid4()
    with database.engine.begin() as connection:
        row = {"session_id": session_id, "subject_id": ME, "expires_at": datetime.now(UTC)}
        connection.execute(insert(REVOKED_SESSIONS).values(row))
    refused = client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, sid=str(session_id)))
    assert (refused.status_code, refused.json["detail"]) == (
        401,
        "The session of the access token has ended. Log in again.",
    )
    for sid in (str(uuid.uuid4()), None):
        assert client.get("/v1/notes", headers=bearer(ME, {"*": "all"}, sid=sid)).status_code == 200


def test_a_disabled_client_ends_the_tokens_it_got_for_a_person(
    client: FlaskClient, database: Database
) -> None:
    machine = {"id": uuid.uuid4(), "kind": "machine", "client_id": "old-app", "active": False}
    remember(database, **machine)
    for client_id, status in (("old-app", 401), ("new-app", 200)):
        headers = bearer(ME, {"*": "all"}, client_id=client_id)
        assert client.get("/v1/notes", headers=headers).status_code == status


def test_a_callers_standing_costs_one_statement_every_15_seconds(database: Database) -> None:
    now, statements = [0.0], []
    event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    subjects = Subjects(database, lambda: now[0])
    for moment in (0.0, 1.0, 14.9, 15.0, 29.9):
        now[0] = moment
        subjects.check(Principal(str(ME), "staff", "tests", {}, roles={"clerk": 1}, sid=uuid.uuid4()))
    assert len(statements) == 2


def test_a_machine_needs_no_known_subject(client: FlaskClient) -> None:
    headers = bearer("telephony", {"note.read": "all"}, "machine", client_id="telephony")
    assert client.get("/v1/notes", headers=headers).status_code == 200


def test_a_revocation_takes_effect_within_15_seconds(database: Database) -> None:
    now = [0.0]
    subjects = Subjects(database, lambda: now[0])
    principal = Principal(str(ME), "staff", "tests", {}, epoch=1)
    subjects.check(principal)
    remember(database, epoch=2)

    now[0] = 14.9
    subjects.check(principal)
    now[0] = 15.0
    with pytest.raises(Unauthorized, match="rights"):
        subjects.check(principal)
