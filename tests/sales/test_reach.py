"""Who sees and does what: own, team and all; foreign records are not there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from shared.kernel.ids import new_id
from shared.testing.tokens import bearer
from tests.sales.conftest import Sales, example

USER = "crm.identity.user.created.v1"


@dataclass
class People:
    boss: uuid.UUID
    rep: uuid.UUID
    colleague: uuid.UUID
    stranger: uuid.UUID


@pytest.fixture
def people(sales: Sales) -> People:
    """A rep and a colleague in one team, their boss, and somebody of another team."""
    found = People(new_id(), new_id(), new_id(), new_id())
    ours, theirs = str(new_id()), str(new_id())
    for person, teams, manager in (
        (found.boss, [], None),
        (found.rep, [ours], str(found.boss)),
        (found.colleague, [ours], None),
        (found.stranger, [theirs], None),
    ):
        user = example(USER, user_id=str(person), team_ids=teams, manager_id=manager)
        sales.hear(USER, user, subject=person)
    return found


def records(sales: Sales, owner: uuid.UUID) -> dict[str, str]:
    """One record of each kind that `owner` owns: path by kind."""
    mine = bearer(owner, {"*": "all"})
    account = sales.done("/v1/accounts", {"name": "Acme"}, headers=mine)
    body = {"name": "Deal", "close_date": "2026-06-30", "account_id": account["id"]}
    deal = sales.done("/v1/opportunities", body, headers=mine)
    quote = sales.done(
        "/v1/quotes", {"opportunity_id": deal["id"], "valid_until": "2026-03-31"}, headers=mine
    )
    contact = sales.done("/v1/contacts", {"family_name": "Brandt"}, headers=mine)
    activity = sales.done("/v1/activities", {"type": "task", "subject": "x"}, headers=mine)
    return {
        kind: f"/v1/{plural}/{record['id']}"
        for kind, plural, record in (
            ("account", "accounts", account),
            ("opportunity", "opportunities", deal),
            ("quote", "quotes", quote),
            ("contact", "contacts", contact),
            ("activity", "activities", activity),
        )
    }


@pytest.mark.parametrize("reach", ["own", "team", "all"])
def test_reach_decides_who_reads_what(sales: Sales, people: People, reach: str) -> None:
    sees = {
        "own": {people.rep},
        "team": {people.rep, people.colleague, people.boss},
        "all": {people.rep, people.colleague, people.boss, people.stranger},
    }[reach]
    paths = records(sales, people.rep)
    for person in (people.rep, people.colleague, people.boss, people.stranger):
        headers = bearer(person, {f"{kind}.read": reach for kind in paths})
        for path in paths.values():
            expected = 200 if person in sees else 404
            assert sales.client.get(path, headers=headers).status_code == expected, (path, person)
            listed = sales.get(path.rpartition("/")[0], headers)["items"]
            assert len(listed) == (person in sees)


CHANGES: dict[str, tuple[str, str, str, Any]] = {
    "account.edit": ("account", "PATCH", "", {"name": "New"}),
    "contact.edit": ("contact", "PATCH", "", {"title": "CEO"}),
    "opportunity.edit": ("opportunity", "PATCH", "", {"name": "New"}),
    "opportunity.move": ("opportunity", "POST", "/move", {"stage": "identification"}),
    "opportunity.win": ("opportunity", "POST", "/win", {}),
    "opportunity.lose": ("opportunity", "POST", "/lose", {"reason": "other"}),
    "quote.edit": ("quote", "PATCH", "", {"payment_days": 14}),
    "quote.submit": ("quote", "POST", "/submit", None),
    "activity.edit": ("activity", "POST", "/start", None),
    "activity.cancel": ("activity", "POST", "/cancel", {"reason": "x"}),
}


def test_what_is_only_seen_cannot_be_changed(sales: Sales, people: People) -> None:
    paths = records(sales, people.rep)
    told = sales.told()
    reads = {f"{kind}.read": "all" for kind in paths}
    for permission, (kind, method, verb, body) in CHANGES.items():
        version = sales.get(paths[kind])["version"]
        for held, status in (({}, 403), ({permission: "own"}, 404)):
            headers = bearer(people.colleague, {**reads, **held})
            answer = sales.send(f"{paths[kind]}{verb}", body, version, method=method, headers=headers)
            assert answer.status_code == status, (permission, answer.text)
    assert sales.told() == told


def test_one_quotes_only_deals_that_one_may_change(sales: Sales, people: People) -> None:
    deal_id = records(sales, people.rep)["opportunity"].rpartition("/")[2]
    body = {"opportunity_id": deal_id, "valid_until": "2026-03-31"}
    headers = bearer(people.colleague, {"quote.create": "all", "opportunity.edit": "own"})
    assert sales.send("/v1/quotes", body, headers=headers).status_code == 404


def test_an_order_is_seen_by_its_owner_and_nobody_else(sales: Sales, people: People) -> None:
    order = sales.order()
    path = f"/v1/orders/{order['id']}"
    assert sales.client.get(path, headers=bearer(sales.me, {"order.read": "own"})).status_code == 200
    for tail in ("", "/handoff"):
        answer = sales.client.get(path + tail, headers=bearer(people.rep, {"order.read": "own"}))
        assert answer.status_code == 404


def test_moving_against_the_policy_needs_its_own_permission(sales: Sales, people: People) -> None:
    path = records(sales, people.rep)["opportunity"]
    version = sales.get(path)["version"]
    body = {"stage": "final", "override_reason": "They called"}
    rep = bearer(people.rep, {"opportunity.move": "own"})
    assert sales.send(f"{path}/move", body, version, headers=rep).status_code == 403
    manager = bearer(people.boss, {"opportunity.move": "team", "opportunity.override": "team"})
    assert sales.send(f"{path}/move", body, version, headers=manager).status_code == 200
