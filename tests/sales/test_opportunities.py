"""Deals: from created to won or lost, and what stands in the way."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sales.conftest import Sales, euros


def test_a_new_deal_begins_in_the_first_stage_and_tells_all_about_it(sales: Sales) -> None:
    account = sales.account()
    deal = sales.deal(account_id=account["id"], amount=euros("1200.00"))
    assert (deal["stage"], deal["status"], deal["probability_bp"]) == ("initiation", "open", 500)
    assert deal["base_amount"] == euros("1200.00")
    assert deal["allowed"] == ["edit", "move", "win", "lose"]
    (created,) = sales.facts("opportunity.created")
    assert created.subject == deal["id"]
    assert created.data["account_name"] == "Acme Robotics GmbH"
    assert created.data["owner_id"] == str(sales.me)
    assert created.data["effective_at"] == "2026-03-02T09:00:00Z"
    assert created.data["origin"] == "user"


def test_an_amount_in_a_currency_without_a_rate_is_refused(sales: Sales) -> None:
    body = {"name": "Deal", "close_date": "2026-06-30", "amount": {"amount": "1.00", "currency": "USD"}}
    sales.refused(422, "no-exchange-rate", "/v1/opportunities", body)
    assert sales.facts("opportunity.created") == []


@pytest.mark.parametrize("day", ["1999-12-31", "2047-01-01"])
def test_a_close_date_far_away_is_refused(sales: Sales, day: str) -> None:
    sales.refused(422, "close-date-out-of-range", "/v1/opportunities", {"name": "Deal", "close_date": day})


def test_a_close_date_that_does_not_exist_is_refused(sales: Sales) -> None:
    answer = sales.send("/v1/opportunities", {"name": "Deal", "close_date": "2027-02-29"})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/close_date"


def test_a_deal_stands_on_a_live_account(sales: Sales) -> None:
    body = {"name": "Deal", "close_date": "2026-06-30", "account_id": str(uuid.uuid4())}
    assert sales.send("/v1/opportunities", body).status_code == 404


def test_editing_tells_what_changed_and_nothing_when_nothing_did(sales: Sales) -> None:
    deal = sales.deal(amount=euros("10.00"))
    path = f"/v1/opportunities/{deal['id']}"
    same = sales.done(path, {"amount": euros("10.00")}, 1, method="PATCH")
    assert same["version"] == 1
    changed = sales.done(path, {"amount": euros("12.00"), "probability_bp": 700}, 1, method="PATCH")
    assert (changed["version"], changed["base_amount"]) == (2, euros("12.00"))
    (fact,) = sales.facts("opportunity.changed")
    assert sorted(fact.data["changed_fields"]) == ["amount", "probability_bp"]
    moved = sales.done(f"{path}/move", {"stage": "identification"}, 2)
    assert moved["probability_bp"] == 1500  # moving clears what was set by hand


def test_who_types_an_amount_takes_it_from_the_quote(sales: Sales) -> None:
    deal = sales.deal()
    sales.quote(deal)
    path = f"/v1/opportunities/{deal['id']}"
    quoted = sales.get(path)
    assert (quoted["amount"], quoted["amount_source"]) == (euros("2000.00"), "quote")
    typed = sales.done(path, {"amount": euros("1.00")}, quoted["version"], method="PATCH")
    assert typed["amount_source"] == "manual"


def test_a_change_needs_the_version_it_is_based_on(sales: Sales) -> None:
    path = f"/v1/opportunities/{sales.deal()['id']}"
    assert sales.send(path, {"name": "New"}, method="PATCH").status_code == 428
    stale = sales.send(path, {"name": "New"}, 7, method="PATCH")
    assert (stale.status_code, stale.json["current_version"]) == (412, 1)
    assert sales.get(path)["name"] == "Welding line"


def test_moving_follows_the_policy_unless_it_is_overridden_with_a_reason(sales: Sales) -> None:
    path = f"/v1/opportunities/{sales.deal()['id']}"
    no = sales.refused(409, "stage-unreachable", f"{path}/move", {"stage": "final"}, 1)
    assert no["allowed_stages"] == ["identification"]
    sales.refused(422, "unknown-stage", f"{path}/move", {"stage": "won"}, 1)
    moved = sales.done(f"{path}/move", {"stage": "final", "override_reason": "They called"}, 1)
    assert [(visit["stage"], visit["reason"]) for visit in moved["stage_log"]] == [
        ("initiation", None),
        ("final", "They called"),
    ]
    (fact,) = sales.facts("opportunity.stage_changed")
    assert (fact.data["previous_stage"], fact.data["override_reason"]) == ("initiation", "They called")
    same = sales.done(f"{path}/move", {"stage": "final"}, 2)
    assert same["version"] == 2


def test_losing_keeps_the_reason(sales: Sales) -> None:
    path = f"/v1/opportunities/{sales.deal()['id']}"
    lost = sales.done(f"{path}/lose", {"reason": "price", "competitor": "Rival"}, 1)
    assert (lost["status"], lost["probability_bp"], lost["close_date"]) == ("lost", 0, "2026-03-02")
    (fact,) = sales.facts("opportunity.lost")
    assert (fact.data["stage"], fact.data["reason"], fact.data["competitor_name"]) == (
        "lost",
        "price",
        "Rival",
    )
    assert sales.send(f"{path}/lose", {"reason": "boredom"}, 2).status_code == 422


COMMANDS: dict[str, Any] = {
    "move": {"stage": "identification"},
    "win": {},
    "lose": {"reason": "other"},
    "reopen": {"reason": "They came back"},
}
LEGAL = {"open": ["move", "win", "lose"], "won": ["reopen"], "lost": ["reopen"]}


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("status", LEGAL)
def test_every_verb_in_every_state(sales: Sales, status: str, verb: str) -> None:
    deal = sales.deal()
    path = f"/v1/opportunities/{deal['id']}"
    if status != "open":
        deal = sales.done(f"{path}/{status.replace('won', 'win').replace('lost', 'lose')}",
                          COMMANDS["lose"] if status == "lost" else {}, 1)  # fmt: skip
    before = sales.told()
    if verb in LEGAL[status]:
        sales.done(f"{path}/{verb}", COMMANDS[verb], deal["version"])
        assert len(sales.told()) == len(before) + 1
        return
    no = sales.refused(409, "illegal-state", f"{path}/{verb}", COMMANDS[verb], deal["version"])
    assert (no["state"], no["allowed"]) == (status, deal["allowed"])
    assert sales.told() == before


def test_a_closed_deal_cannot_be_edited(sales: Sales) -> None:
    path = f"/v1/opportunities/{sales.deal()['id']}"
    sales.done(f"{path}/lose", {"reason": "other"}, 1)
    assert sales.send(path, {"name": "New"}, 2, method="PATCH").status_code == 409


def test_reopening_goes_back_to_the_stage_the_deal_was_closed_in(sales: Sales) -> None:
    path = f"/v1/opportunities/{sales.deal()['id']}"
    sales.done(f"{path}/move", {"stage": "identification"}, 1)
    sales.done(f"{path}/lose", {"reason": "timing"}, 2)
    deal = sales.done(f"{path}/reopen", {"reason": "Budget is back"}, 3)
    assert (deal["status"], deal["stage"], deal["closed_at"], deal["lost_reason"]) == (
        "open", "identification", None, None,
    )  # fmt: skip
    (fact,) = sales.facts("opportunity.reopened")
    assert (fact.data["previous_status"], fact.data["reason"]) == ("lost", "Budget is back")


def test_the_board_adds_up_open_deals_weighted_one_by_one(sales: Sales) -> None:
    account = sales.account()["id"]
    # 5 % of each is 0.005: rounded one by one that is 0.01 and 0.01.
    sales.deal("A", account_id=account, amount=euros("0.10"))
    sales.deal("B", account_id=account, amount=euros("0.10"))
    lost = sales.deal("C", account_id=account, amount=euros("99.00"))
    sales.done(f"/v1/opportunities/{lost['id']}/lose", {"reason": "other"}, 1)
    (column,) = sales.get("/v1/opportunities/board")["columns"]
    assert (column["stage"], column["count"]) == ("initiation", 2)
    assert (column["amount"], column["weighted"]) == (euros("0.20"), euros("0.02"))


def test_lists_are_filtered_sorted_and_paged(sales: Sales) -> None:
    account = sales.account()["id"]
    for name, amount in (("B", "20.00"), ("A", "30.00"), ("C", "10.00")):
        sales.deal(name, account_id=account, amount=euros(amount))
    first = sales.get("/v1/opportunities", sort="name", limit=2)
    assert [deal["name"] for deal in first["items"]] == ["A", "B"]
    rest = sales.get("/v1/opportunities", sort="name", limit=2, cursor=first["next"])
    assert ([deal["name"] for deal in rest["items"]], rest["next"]) == (["C"], None)
    assert [
        deal["name"] for deal in sales.get("/v1/opportunities", amount_gte="20.00", sort="amount")["items"]
    ] == [
        "B",
        "A",
    ]
    answer = sales.client.get("/v1/opportunities?stages=final", headers=sales.admin)
    assert answer.status_code == 422


def test_an_equal_request_with_the_same_key_has_one_effect(sales: Sales) -> None:
    headers = sales.admin | {"Idempotency-Key": "deal-1"}
    body = {"name": "Deal", "close_date": "2026-06-30"}
    first = sales.send("/v1/opportunities", body, headers=headers)
    second = sales.send("/v1/opportunities", body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] == second.json["id"]
    assert len(sales.facts("opportunity.created")) == 1
    assert sales.send("/v1/opportunities", body | {"name": "Other"}, headers=headers).status_code == 422
