"""The audit log over HTTP: what it says, and that changes to it are found."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from shared.messaging.housekeeping import seal
from tests.identity.conftest import Identity


def test_it_says_who_did_what_to_whom_without_personal_data(identity: Identity) -> None:
    dana = identity.invited("Dana")
    identity.done("PATCH", f"/v1/users/{dana['id']}", {"display_name": "Secret Name"}, version=1)
    entries = identity.get("/v1/audit", object=f"user:{dana['id']}")["items"]
    actor = f"user:{identity.admin.admin_id}"
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        (actor, "user.edit"),
        (actor, "user.invite"),
    ]
    assert "display_name" in entries[0]["details"]["fields"]
    assert "Secret Name" not in str(entries)
    assert identity.get("/v1/audit", actor="user:somebody-else")["items"] == []


def test_an_untouched_log_is_intact(identity: Identity) -> None:
    identity.invited("Dana")
    pending = identity.get("/v1/audit/verify")
    assert pending["intact"] is True
    assert pending["pending"] > 0
    assert pending["sealed"] == 0
    sealed = seal(identity.service.runtime.database)
    assert identity.get("/v1/audit/verify") == {
        "intact": True,
        "first_broken_seq": None,
        "sealed": sealed,
        "pending": 0,
    }


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_entries SET actor = 'user:innocent' WHERE seq = 3",
        "DELETE FROM audit_entries WHERE seq = 3",
    ],
)
def test_tampering_is_found_and_named(identity: Identity, tampering: str) -> None:
    identity.invited("Dana")
    seal(identity.service.runtime.database)
    with identity.service.runtime.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        connection.execute(text(tampering))
    verdict = identity.get("/v1/audit/verify")
    assert (verdict["intact"], verdict["first_broken_seq"]) == (False, 3)


def test_only_auditors_read_it(identity: Identity) -> None:
    auditor = identity.headers(identity.user("Aud", role_names=["auditor"])["id"])
    assert identity.get("/v1/audit", auditor)["items"]
    rep = identity.headers(identity.user("Rep", role_names=["sales_rep"])["id"])
    for path in ("/v1/audit", "/v1/audit/verify"):
        assert identity.client.get(path, headers=rep).status_code == 403
