"""Who sees whom, on the example of six people and two teams."""

from __future__ import annotations

from typing import Any

import pytest

from tests.identity.conftest import Identity


@pytest.fixture
def company(identity: Identity) -> dict[str, Any]:
    """A manages B and C, B manages D and E, D manages F; North (lead B: B, D, E), East (lead C: C, F)."""
    people: dict[str, Any] = {}
    for name, manager in (("A", None), ("B", "A"), ("C", "A"), ("D", "B"), ("E", "B"), ("F", "D")):
        manager_id = people[manager]["id"] if manager else None
        people[name] = identity.user(name, manager_id=manager_id, role_names=["sales_rep"])
    for team, lead, members in (("North", "B", "BDE"), ("East", "C", "CF")):
        body = {"name": team, "kind": "sales", "lead_id": people[lead]["id"]}
        identity.done("POST", "/v1/teams", {**body, "member_ids": [people[name]["id"] for name in members]})
    return people


def test_team_reach_is_who_reports_to_one_and_who_is_in_ones_teams(
    identity: Identity, company: dict[str, Any]
) -> None:
    seen = {
        name: "".join(
            user["display_name"]
            for user in identity.get("/v1/users", identity.headers(company[name]["id"]))["items"]
        )
        for name in "ABCDF"
    }
    assert seen == {"A": "ABCDEF", "B": "BDEF", "C": "CF", "D": "BDEF", "F": "CF"}


def test_whom_one_may_not_see_is_not_there(identity: Identity, company: dict[str, Any]) -> None:
    headers = identity.headers(company["C"]["id"])
    for path in ("", "/effective-permissions"):
        answer = identity.client.get(f"/v1/users/{company['B']['id']}{path}", headers=headers)
        assert answer.status_code == 404


def test_the_chart_shows_the_part_one_may_see(identity: Identity, company: dict[str, Any]) -> None:
    def shown(headers: dict[str, str] | None) -> list[tuple[str, int]]:
        return [
            (node["display_name"], node["level"]) for node in identity.get("/v1/org-chart", headers)["items"]
        ]

    whole = [("A", 1), ("B", 2), ("D", 3), ("F", 4), ("E", 3), ("C", 2), ("Administrator", 1)]
    assert shown(None) == whole
    assert shown(identity.headers(company["B"]["id"])) == [("B", 1), ("D", 2), ("F", 3), ("E", 2)]
    identity.done("POST", f"/v1/users/{company['F']['id']}/deactivate", {}, version=3)
    assert ("F", 4) not in shown(None)
