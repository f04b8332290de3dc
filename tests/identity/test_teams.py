"""Teams and who belongs to them."""

from __future__ import annotations

from typing import Any

from tests.identity.conftest import Identity
from tests.identity.test_users import problem


def team(identity: Identity, name: str, **values: Any) -> Any:
    return identity.done("POST", "/v1/teams", {"name": name, **values})


def test_a_team_and_its_members_say_the_same(identity: Identity) -> None:
    ann, ben = identity.user("Ann"), identity.user("Ben")
    north = team(identity, "North", kind="sales", lead_id=ann["id"], member_ids=[ann["id"], ben["id"]])
    assert sorted(north["member_ids"]) == sorted([ann["id"], ben["id"]])
    fact = identity.facts("team.changed", north["id"])[-1]
    assert fact.data == {
        "team_id": north["id"],
        "name": "North",
        "kind": "sales",
        "parent_id": None,
        "lead_id": ann["id"],
        "member_ids": sorted([ann["id"], ben["id"]]),
        "active": True,
    }
    for user in (ann, ben):
        changed = identity.facts("user.changed", user["id"])[-1]
        assert (changed.data["team_ids"], changed.data["epoch"]) == ([north["id"]], 2)
        assert identity.get(f"/v1/users/{user['id']}")["team_ids"] == [north["id"]]


def test_leaving_changes_team_and_user_and_nobody_else(identity: Identity) -> None:
    ann, ben = identity.user("Ann"), identity.user("Ben")
    north = team(identity, "North", member_ids=[ann["id"], ben["id"]])
    bens_facts = len(identity.facts("user.changed", ben["id"]))
    identity.done("PATCH", f"/v1/teams/{north['id']}", {"member_ids": [ben["id"]]}, version=north["version"])
    assert identity.get(f"/v1/users/{ann['id']}")["team_ids"] == []
    assert len(identity.facts("user.changed", ben["id"])) == bens_facts


def test_a_user_joins_and_leaves_from_his_own_side_too(identity: Identity) -> None:
    north, east = team(identity, "North"), team(identity, "East")
    ann = identity.user("Ann", team_ids=[north["id"]])
    assert identity.get(f"/v1/teams/{north['id']}")["member_ids"] == [ann["id"]]
    identity.done("PATCH", f"/v1/users/{ann['id']}", {"team_ids": [east["id"]]}, version=2)
    assert identity.get(f"/v1/teams/{north['id']}")["member_ids"] == []
    assert identity.get("/v1/teams", member_id=ann["id"])["items"][0]["name"] == "East"
    assert [fact.data["member_ids"] for fact in identity.facts("team.changed", north["id"])] == [
        [],
        [ann["id"]],
        [],
    ]


def test_leads_members_and_parents_must_be_there(identity: Identity, some_id: str) -> None:
    gone = identity.user("Gone")
    identity.done("POST", f"/v1/users/{gone['id']}/deactivate", {}, version=2)
    for person in (some_id, gone["id"]):
        for body in ({"lead_id": person}, {"member_ids": [person]}):
            answer = identity.send("POST", "/v1/teams", {"name": "North", **body})
            assert problem(answer) == (422, "unknown-person")
    answer = identity.send("POST", "/v1/teams", {"name": "North", "parent_id": some_id})
    assert problem(answer) == (422, "unknown-team")
    body = {"email": "x@company.example", "display_name": "X", "team_ids": [some_id]}
    assert problem(identity.send("POST", "/v1/users", body)) == (422, "unknown-team")
    assert identity.facts("team.changed") == []


def test_teams_form_a_tree(identity: Identity) -> None:
    top = team(identity, "Top")
    part = team(identity, "Part", parent_id=top["id"])
    for parent in (top["id"], part["id"]):
        answer = identity.send("PATCH", f"/v1/teams/{top['id']}", {"parent_id": parent}, version=1)
        assert problem(answer) == (422, "team-ring")


def test_a_dissolved_team_has_nobody_and_cannot_come_back(identity: Identity) -> None:
    top = team(identity, "Top")
    ann = identity.user("Ann")
    part = team(identity, "Part", parent_id=top["id"], lead_id=ann["id"], member_ids=[ann["id"]])
    refused = identity.send("POST", f"/v1/teams/{top['id']}/dissolve", version=1)
    assert problem(refused) == (409, "team-has-parts")
    gone = identity.done("POST", f"/v1/teams/{part['id']}/dissolve", version=part["version"])
    assert (gone["state"], gone["member_ids"], gone["lead_id"], gone["allowed"]) == (
        "dissolved",
        [],
        None,
        [],
    )
    assert identity.facts("team.changed", part["id"])[-1].data["active"] is False
    assert identity.get(f"/v1/users/{ann['id']}")["team_ids"] == []
    again = identity.send("PATCH", f"/v1/teams/{part['id']}", {"name": "Back"}, version=gone["version"])
    assert problem(again) == (409, "illegal-state")
    identity.done("POST", f"/v1/teams/{top['id']}/dissolve", version=1)


def test_a_stale_edit_is_refused_and_changes_nobody(identity: Identity) -> None:
    ann = identity.user("Ann")
    north = team(identity, "North")
    identity.done("PATCH", f"/v1/teams/{north['id']}", {"name": "North 2"}, version=1)
    path = f"/v1/teams/{north['id']}"
    assert problem(identity.send("PATCH", path, {"member_ids": [ann["id"]]}, version=1)) == (412, "stale")
    assert problem(identity.send("PATCH", path, {})) == (428, "precondition-required")
    assert identity.get(f"/v1/users/{ann['id']}")["team_ids"] == []
