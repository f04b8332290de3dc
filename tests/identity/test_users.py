"""Users: invited, changed, suspended, parted with."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shared.kernel.clock import FixedClock
from shared.testing.tokens import bearer, jwks_file
from tests.identity.conftest import Identity


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"].removeprefix("/problems/")


def test_an_invitation_is_a_fact_with_full_state(identity: Identity) -> None:
    boss = identity.user("Boss")
    dana = identity.invited(
        "Dana", manager_id=boss["id"], role_names=["sales_rep"], time_zone="Europe/Berlin", locale="de-DE"
    )
    assert (dana["state"], dana["version"]) == ("invited", 1)
    (created,) = identity.facts("user.created", dana["id"])
    assert created.data == {
        "user_id": dana["id"],
        "email": "dana@company.example",
        "display_name": "Dana",
        "manager_id": boss["id"],
        "team_ids": [],
        "role_names": ["sales_rep"],
        "epoch": 0,
        "active": True,
        "state": "invited",
        "time_zone": "Europe/Berlin",
        "locale": "de-DE",
    }
    assert created.headers["ce_actorid"] == f"user:{identity.admin.admin_id}"


def test_an_invitation_lets_its_user_in_once(identity: Identity) -> None:
    invited = identity.invited("Dana")
    door, body = "/public/v1/invitations/accept", {"token": invited["invitation_token"]}
    accepted = identity.client.post(door, json=body)
    assert accepted.json == {"email": "dana@company.example", "display_name": "Dana", "state": "active"}
    assert problem(identity.client.post(door, json=body)) == (404, "invitation-spent")
    (changed,) = identity.facts("user.changed", invited["id"])
    assert (changed.data["state"], changed.data["epoch"]) == ("active", 1)


def test_an_invitation_is_good_for_72_hours(identity: Identity, clock: FixedClock) -> None:
    door = "/public/v1/invitations/accept"
    early, late = identity.invited("Early"), identity.invited("Late")
    clock.advance(timedelta(hours=72))
    assert identity.client.post(door, json={"token": early["invitation_token"]}).status_code == 200
    clock.advance(timedelta(seconds=1))
    spent = identity.client.post(door, json={"token": late["invitation_token"]})
    unknown = identity.client.post(door, json={"token": "never-was"})
    assert problem(spent) == problem(unknown) == (404, "invitation-spent")
    assert spent.json["detail"] == unknown.json["detail"]


def test_a_new_invitation_voids_the_earlier_one(identity: Identity) -> None:
    first = identity.invited("Dana")
    path = f"/v1/users/{first['id']}/resend-invitation"
    second = identity.done("POST", path, version=1)
    door = "/public/v1/invitations/accept"
    assert identity.client.post(door, json={"token": first["invitation_token"]}).status_code == 404
    assert identity.client.post(door, json={"token": second["invitation_token"]}).status_code == 200
    assert problem(identity.send("POST", path, version=3)) == (409, "illegal-state")


def test_the_token_of_an_invitation_is_kept_nowhere(identity: Identity) -> None:
    body = {"email": "dana@company.example", "display_name": "Dana"}
    headers = {**identity.headers(), "Idempotency-Key": "once"}
    answer = identity.send("POST", "/v1/users", body, headers=headers)
    token = answer.json["invitation_token"]
    with identity.service.runtime.database.engine.connect() as connection:
        kept = connection.execute(text("SELECT answer FROM idempotency_keys")).scalars().all()
        users = connection.execute(text("SELECT u::text FROM users u")).scalars().all()
    assert kept == [None]
    assert token not in str(users)
    assert token not in str([fact.data for fact in identity.service.facts()])
    assert "invitation_token" not in identity.get(f"/v1/users/{answer.json['id']}")
    again = identity.send("POST", "/v1/users", body, headers=headers)
    assert again.status_code == 409
    assert len(identity.facts("user.created")) == 2


@pytest.mark.parametrize(
    "email", ["dana@company.example", "DANA@Company.Example", "ｄａｎａ@company.example"]
)
def test_one_address_is_one_user(identity: Identity, email: str) -> None:
    identity.invited("Dana")
    answer = identity.send("POST", "/v1/users", {"email": email, "display_name": "Another"})
    assert problem(answer) == (409, "email-taken")


def test_a_changed_address_must_be_free_too(identity: Identity) -> None:
    identity.invited("Dana")
    eve = identity.invited("Eve")
    taken = identity.send("PATCH", f"/v1/users/{eve['id']}", {"email": "Dana@company.example"}, version=1)
    assert problem(taken) == (409, "email-taken")
    same = identity.done("PATCH", f"/v1/users/{eve['id']}", {"email": "EVE@company.example"}, version=1)
    assert (same["email"], same["version"]) == ("eve@company.example", 1)


def test_rights_move_the_epoch_and_a_name_does_not(identity: Identity) -> None:
    boss, dana = identity.user("Boss"), identity.user("Dana")
    path = f"/v1/users/{dana['id']}"
    identity.done("PATCH", path, {"display_name": "Dana K."}, version=2)
    identity.done("PATCH", path, {"manager_id": boss["id"]}, version=3)
    identity.done("PATCH", path, {"role_names": ["agent"]}, version=4)
    identity.done("PATCH", path, {"role_names": ["agent"]}, version=5)
    assert [fact.data["epoch"] for fact in identity.facts("user.changed", dana["id"])] == [1, 1, 2, 3]


def test_managers_form_a_tree(identity: Identity, some_id: str) -> None:
    top = identity.user("Top")
    middle = identity.user("Middle", manager_id=top["id"])
    low = identity.user("Low", manager_id=middle["id"])
    for manager in (low["id"], top["id"]):
        answer = identity.send("PATCH", f"/v1/users/{top['id']}", {"manager_id": manager}, version=2)
        assert problem(answer) == (422, "manager-ring")
        assert answer.json["errors"][0]["pointer"] == "/manager_id"
    answer = identity.send("PATCH", f"/v1/users/{top['id']}", {"manager_id": some_id}, version=2)
    assert problem(answer) == (422, "unknown-manager")


def test_two_crossing_moves_at_once_close_no_ring(identity: Identity) -> None:
    one, other = identity.user("One"), identity.user("Other")
    headers = identity.headers()

    def move(pair: tuple[Any, Any]) -> int:
        below, above = pair
        path = f"/v1/users/{below['id']}"
        return identity.send(
            "PATCH", path, {"manager_id": above["id"]}, version=2, headers=headers
        ).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(move, [(one, other), (other, one)]))
    assert sorted(statuses) == [200, 422]


def test_a_suspended_user_is_out_until_resumed(
    identity: Identity, make_identity: Callable[..., Identity]
) -> None:
    dana = identity.user("Dana", role_names=["analyst"])
    token = identity.headers(dana["id"])
    path = f"/v1/users/{dana['id']}"
    suspended = identity.done("POST", f"{path}/suspend", version=2)
    assert (suspended["state"], suspended["allowed"]) == ("suspended", ["edit", "resume", "deactivate"])
    assert identity.client.get("/v1/me", headers=token).status_code == 401
    fact = identity.facts("user.changed", dana["id"])[-1]
    assert (fact.data["state"], fact.data["active"], fact.data["epoch"]) == ("suspended", False, 2)
    again = identity.send("POST", f"{path}/suspend", version=3)
    assert problem(again) == (409, "illegal-state")
    assert (again.json["state"], again.json["allowed"]) == ("suspended", ["edit", "resume", "deactivate"])
    assert identity.done("POST", f"{path}/resume", version=3)["state"] == "active"
    fresh = make_identity()
    assert fresh.client.get("/v1/me", headers=token).status_code == 401
    assert fresh.client.get("/v1/me", headers=fresh.headers(dana["id"])).status_code == 200


def test_nobody_suspends_himself_or_the_last_administrator(identity: Identity) -> None:
    admin = f"/v1/users/{identity.admin.admin_id}"
    assert problem(identity.send("POST", f"{admin}/suspend", version=1)) == (409, "not-oneself")
    assert problem(identity.send("POST", f"{admin}/deactivate", {}, version=1)) == (409, "last-admin")
    second = identity.user("Second", role_names=["admin"])
    identity.done("POST", f"{admin}/deactivate", {"successor_id": second["id"]}, version=1)
    assert identity.token().json["error"] == "unauthorized_client"


def test_the_last_active_administrator_stays_one_whoever_asks(
    make_identity: Callable[..., Identity], tmp_path: Path
) -> None:
    identity = make_identity(jwks_file=jwks_file(tmp_path))
    headers = bearer(permissions={"user.edit": "all", "user.suspend": "all"}, mfa_at=int(time.time()))
    admin = f"/v1/users/{identity.admin.admin_id}"
    edit = identity.send("PATCH", admin, {"role_names": ["agent"]}, version=1, headers=headers)
    assert problem(edit) == (403, "grant-exceeds-own")
    edit = identity.send("PATCH", admin, {"role_names": []}, version=1, headers=headers)
    assert problem(edit) == (409, "last-admin")
    suspend = identity.send("POST", f"{admin}/suspend", version=1, headers=headers)
    assert problem(suspend) == (409, "last-admin")
    assert identity.facts("user.changed") == []


def test_two_administrators_cannot_part_with_each_other_at_once(identity: Identity) -> None:
    second = identity.user("Second", role_names=["admin"])
    headers = identity.headers()
    targets = [(str(identity.admin.admin_id), 1), (second["id"], 2)]

    def part(target: tuple[str, int]) -> int:
        path = f"/v1/users/{target[0]}/deactivate"
        return identity.send("POST", path, {}, version=target[1], headers=headers).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(part, targets))
    assert sorted(statuses) == [200, 409]


def test_who_reported_to_a_leaver_reports_to_his_manager(identity: Identity) -> None:
    top = identity.user("Top")
    leaver = identity.user("Leaver", manager_id=top["id"])
    reports = [identity.user(name, manager_id=leaver["id"]) for name in ("Ann", "Ben")]
    heir = identity.user("Heir")
    gone = identity.done(
        "POST", f"/v1/users/{leaver['id']}/deactivate", {"successor_id": heir["id"]}, version=2
    )
    assert (gone["state"], gone["allowed"]) == ("deactivated", ["edit", "reactivate"])
    (fact,) = identity.facts("user.deactivated", leaver["id"])
    assert (fact.data["successor_id"], fact.data["active"], fact.data["epoch"]) == (heir["id"], False, 2)
    for report in reports:
        moved = identity.facts("user.changed", report["id"])[-1]
        assert (moved.data["manager_id"], moved.correlation_id) == (top["id"], fact.correlation_id)
    assert identity.get("/v1/users", manager_id=leaver["id"])["items"] == []


def test_work_goes_only_to_another_active_user(identity: Identity, some_id: str) -> None:
    leaver, invited = identity.user("Leaver"), identity.invited("Newcomer")
    for successor in (some_id, invited["id"], leaver["id"]):
        answer = identity.send(
            "POST", f"/v1/users/{leaver['id']}/deactivate", {"successor_id": successor}, version=2
        )
        assert problem(answer) == (422, "successor-not-active")
    assert identity.facts("user.deactivated") == []


def test_a_leaver_can_be_invited_again(identity: Identity) -> None:
    dana = identity.user("Dana")
    identity.done("POST", f"/v1/users/{dana['id']}/deactivate", {}, version=2)
    back = identity.done("POST", f"/v1/users/{dana['id']}/reactivate", version=3)
    assert back["state"] == "invited"
    identity.client.post("/public/v1/invitations/accept", json={"token": back["invitation_token"]})
    assert identity.get(f"/v1/users/{dana['id']}")["state"] == "active"
    manager = {"manager_id": dana["id"]}
    identity.done("POST", f"/v1/users/{dana['id']}/deactivate", {}, version=5)
    body = {"email": "e@company.example", "display_name": "E", **manager}
    assert problem(identity.send("POST", "/v1/users", body)) == (422, "unknown-manager")


def test_nobody_changes_his_own_roles(identity: Identity) -> None:
    admin = f"/v1/users/{identity.admin.admin_id}"
    answer = identity.send("PATCH", admin, {"role_names": ["admin", "agent"]}, version=1)
    assert problem(answer) == (403, "self-grant")
    assert (
        identity.done("PATCH", admin, {"role_names": ["admin"], "display_name": "A"}, version=1)["version"]
        == 2
    )


def test_nobody_grants_what_he_lacks(identity: Identity) -> None:
    grants = {"user.invite": "all", "user.read": "all", "case.read": "own"}
    identity.done("POST", "/v1/roles", {"name": "recruiter", "says": "Invites", "grants": grants})
    headers = identity.headers(identity.user("Rita", role_names=["recruiter"])["id"])
    body = {"email": "x@company.example", "display_name": "X", "role_names": ["agent"]}
    answer = identity.send("POST", "/v1/users", body, headers=headers)
    assert problem(answer) == (403, "grant-exceeds-own")
    assert "case.read" in answer.json["permissions"]
    assert "user.read" not in answer.json["permissions"]
    allowed = identity.send("POST", "/v1/users", {**body, "role_names": ["recruiter"]}, headers=headers)
    assert allowed.status_code == 201


def test_nobody_gets_the_invitation_of_a_user_who_may_more(
    make_identity: Callable[..., Identity], tmp_path: Path
) -> None:
    identity = make_identity(jwks_file=jwks_file(tmp_path))
    everything = bearer(permissions={"*": "all"}, mfa_at=int(time.time()))
    body = {"email": "x@company.example", "display_name": "X", "role_names": ["admin"]}
    user = identity.done("POST", "/v1/users", body, headers=everything)
    own = {"user.invite": "all", "user.deactivate": "all"}
    headers = bearer(permissions=own, mfa_at=int(time.time()))
    path = f"/v1/users/{user['id']}"
    refused = identity.send("POST", f"{path}/resend-invitation", version=1, headers=headers)
    assert problem(refused) == (403, "grant-exceeds-own")
    identity.done("POST", f"{path}/deactivate", {}, version=1, headers=headers)
    refused = identity.send("POST", f"{path}/reactivate", version=2, headers=headers)
    assert problem(refused) == (403, "grant-exceeds-own")


@pytest.mark.parametrize("role", ["made_up", "portal_user"])
def test_staff_get_roles_that_exist_for_staff(identity: Identity, role: str) -> None:
    body = {"email": "x@company.example", "display_name": "X", "role_names": [role]}
    assert problem(identity.send("POST", "/v1/users", body)) == (422, "unknown-role")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "no address"},
        {"time_zone": "Mars/Base"},
        {"locale": "german"},
        {"state": "active"},
        {"epoch": 5},
    ],
)
def test_wrong_and_read_only_fields_are_refused(identity: Identity, wrong: dict[str, Any]) -> None:
    body = {"email": "x@company.example", "display_name": "X", **wrong}
    answer = identity.send("POST", "/v1/users", body)
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{name}" for name in wrong]


def test_users_are_found_by_many_marks(identity: Identity) -> None:
    boss = identity.user("Boss", role_names=["sales_manager"])
    dana = identity.invited("Dana", manager_id=boss["id"])

    def found(**query: Any) -> list[str]:
        return [user["display_name"] for user in identity.get("/v1/users", **query)["items"]]

    assert found(q="dAN") == ["Dana"]
    assert found(email="dana@company.example") == ["Dana"]
    assert found(role="sales_manager") == ["Boss"]
    assert found(state="invited") == ["Dana"]
    assert found(manager_id=boss["id"]) == ["Dana"]
    assert found(ids=f"{boss['id']},{dana['id']}", sort="-display_name") == ["Dana", "Boss"]
    assert found(email="nobody@company.example") == []


def test_effective_permissions_name_the_roles_that_give_them(identity: Identity) -> None:
    dana = identity.user("Dana", role_names=["sales_rep", "agent"])
    rights = identity.get(f"/v1/users/{dana['id']}/effective-permissions")["items"]
    by_name = {right["permission"]: right for right in rights}
    assert by_name["opportunity.win"]["reach"] == "own"
    assert by_name["opportunity.win"]["roles"] == ["sales_rep"]
    assert by_name["product.read"]["roles"] == ["agent", "sales_rep"]
    assert by_name["account.read"] == {
        "permission": "account.read",
        "reach": "all",
        "says": "See accounts",
        "roles": ["agent"],
    }
    assert "user.edit" not in by_name
    admin = identity.get(f"/v1/users/{identity.admin.admin_id}/effective-permissions")["items"]
    widest = {right["permission"]: right["reach"] for right in admin}
    assert (widest["user.edit"], widest["me.read"]) == ("all", "own")
