"""Roles: built in, and of the company's own."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.policy import Policy
from shared.testing.services import RunningService
from tests.identity.conftest import Identity
from tests.identity.test_users import problem


def role(identity: Identity, **values: Any) -> Any:
    body = {"name": "helper", "says": "Helps out", "grants": {"case.read": "own"}, **values}
    return identity.done("POST", "/v1/roles", body)


def built_in(identity: Identity, name: str) -> Any:
    return identity.get("/v1/roles", name=name)["items"][0]


def test_an_edit_of_the_grants_is_a_new_version(identity: Identity) -> None:
    helper = role(identity)
    path = f"/v1/roles/{helper['id']}"
    identity.done("PATCH", path, {"says": "Helps out a lot"}, version=1)
    edited = identity.done("PATCH", path, {"grants": {"case.read": "team"}}, version=2)
    assert (edited["role_version"], edited["grants"]) == (2, {"case.read": "team"})
    facts = [fact.data for fact in identity.facts("role.changed", helper["id"])]
    assert [(fact["role_version"], fact["grants"]) for fact in facts] == [
        (1, {"case.read": "own"}),
        (2, {"case.read": "team"}),
    ]
    user = identity.user("Dana", role_names=["helper"])
    me = identity.get("/v1/users", identity.headers(), ids=user["id"])["items"][0]
    assert me["role_names"] == ["helper"]


def test_an_edit_of_the_grants_ends_the_tokens_that_name_the_role(identity: Identity) -> None:
    helper = role(identity, grants={"me.read": "own", "case.read": "own"})
    before = identity.headers(identity.user("Dana", role_names=["helper"])["id"])
    identity.done("PATCH", f"/v1/roles/{helper['id']}", {"grants": {"me.read": "own"}}, version=1)
    fresh = RunningService(identity.service.runtime).client
    assert fresh.get("/v1/me", headers=before).status_code == 401
    assert fresh.get("/v1/me", headers=identity.headers()).status_code == 200


@pytest.mark.parametrize(
    ("grants", "pointer"),
    [({"made.up": "all"}, "/grants/made.up"), ({"role.edit": "own"}, "/grants/role.edit")],
)
def test_a_role_combines_what_the_suite_knows(
    identity: Identity, grants: dict[str, str], pointer: str
) -> None:
    answer = identity.send("POST", "/v1/roles", {"name": "odd", "says": "Odd", "grants": grants})
    assert problem(answer) == (422, "grant-not-in-policy")
    assert answer.json["errors"][0]["pointer"] == pointer


def test_built_in_roles_stay_as_they_are(identity: Identity) -> None:
    agent = built_in(identity, "agent")
    assert identity.get(f"/v1/roles/{agent['id']}")["allowed"] == []
    path = f"/v1/roles/{agent['id']}"
    assert problem(identity.send("PATCH", path, {"says": "Mine"}, version=1)) == (409, "built-in-role")
    assert problem(identity.send("DELETE", path, version=1)) == (409, "built-in-role")
    taken = identity.send("POST", "/v1/roles", {"name": "agent", "says": "Mine", "grants": {}})
    assert problem(taken) == (409, "role-exists")


def test_a_held_role_cannot_be_deleted_and_the_holders_are_named(identity: Identity) -> None:
    helper = role(identity)
    dana = identity.user("Dana", role_names=["helper"])
    path = f"/v1/roles/{helper['id']}"
    refused = identity.send("DELETE", path, version=1)
    assert problem(refused) == (409, "role-held")
    assert refused.json["holders"] == [dana["id"]]
    identity.done("PATCH", f"/v1/users/{dana['id']}", {"role_names": []}, version=2)
    assert identity.done("DELETE", path, version=1)["state"] == "deleted"
    assert identity.facts("role.changed", helper["id"])[-1].data["active"] is False
    body = {"email": "x@company.example", "display_name": "X", "role_names": ["helper"]}
    assert problem(identity.send("POST", "/v1/users", body)) == (422, "unknown-role")
    assert role(identity)["id"] != helper["id"]


def test_the_vocabulary_is_the_policy_file(identity: Identity) -> None:
    items = identity.get("/v1/permissions")["items"]
    assert {item["name"] for item in items} == set(Policy.load().permissions)
    edit = next(item for item in items if item["name"] == "user.edit")
    assert (edit["service"], edit["reach"], edit["step_up"]) == ("identity", ["all"], True)


def test_a_step_up_is_asked_for_where_the_policy_says_so(identity: Identity) -> None:
    second = identity.user("Second", role_names=["admin"])
    headers = identity.headers(second["id"])
    body = {"name": "helper", "says": "Helps", "grants": {}}
    refused = identity.send("POST", "/v1/roles", body, headers=headers)
    assert refused.status_code == 401
    assert "insufficient_user_authentication" in refused.headers["WWW-Authenticate"]
