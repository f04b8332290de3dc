"""Cases: their states, their numbers, and the cover they show."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.support.case_number import case_number, luhn_digit
from services.support.cases.model import priority_of
from shared.kernel.clock import FixedClock
from shared.testing.tokens import bearer
from tests.support.conftest import EXAMPLES

SHIPMENT = [
    {
        "line_id": "018f3b1e-0000-7000-8000-00000000010b",
        "quantity": "1",
        "cumulative": "1",
        "serials": ["A1"],
    }
]


def act(support, headers, before, verb, **body):
    given = {"json": body} if body else {}
    return support.client.post(
        f"/v1/cases/{before.json['id']}/{verb}",
        headers={**headers, "If-Match": before.headers["ETag"]},
        **given,
    )


def opened(support, headers, **values):
    answer = support.client.post("/v1/cases", json={"subject": "It stopped", **values}, headers=headers)
    assert answer.status_code == 201, answer.json
    return answer


def test_a_case_goes_from_new_to_closed(support, staff, clock: FixedClock):
    case = opened(support, staff, impact="high", urgency="high")
    assert (case.json["state"], case.json["priority"]) == ("new", "p1")
    owner = str(uuid.uuid4())
    case = act(support, staff, case, "assign", owner_id=owner)
    assert (case.json["state"], case.json["owner_id"]) == ("new", owner)
    clock.advance(timedelta(minutes=5))
    case = act(support, staff, case, "wait", waits_for="customer")
    assert case.json["state"] == "waiting"
    case = act(support, staff, case, "resume")
    clock.advance(timedelta(minutes=10))
    case = act(support, staff, case, "resolve", outcome="fixed", answer="Press the button.")
    case = act(support, staff, case, "close")
    assert case.json["state"] == "closed"
    resolved = support.facts("crm.support.case.resolved.v1")[0].data
    assert (resolved["first_response_seconds"], resolved["resolution_seconds"]) == (300, 900)
    assert support.facts("crm.support.case.closed.v1")[0].data["reason"] == "confirmed"
    assert [entry["state"] for entry in case.json["log"]] == [
        "new",
        "new",
        "open",
        "waiting",
        "open",
        "resolved",
        "closed",
    ]


def test_silence_closes_a_resolved_case_after_a_week_and_only_once(support, staff, clock: FixedClock):
    case = act(support, staff, opened(support, staff), "resolve", outcome="fixed", answer="Done.")
    clock.advance(timedelta(days=7))
    support.fire_timers()
    support.fire_timers()
    assert support.client.get(f"/v1/cases/{case.json['id']}", headers=staff).json["state"] == "closed"
    assert [fact.data["reason"] for fact in support.facts("crm.support.case.closed.v1")] == ["silent"]


def test_a_reopened_case_is_not_closed_by_the_old_timer(support, staff, clock: FixedClock):
    case = act(support, staff, opened(support, staff), "resolve", outcome="fixed", answer="Done.")
    case = act(support, staff, case, "reopen", note="again")
    clock.advance(timedelta(days=8))
    support.fire_timers()
    assert support.client.get(f"/v1/cases/{case.json['id']}", headers=staff).json["state"] == "open"
    assert support.facts("crm.support.case.closed.v1") == []


def test_after_fourteen_days_a_case_stays_closed(support, staff, clock: FixedClock):
    case = act(support, staff, opened(support, staff), "resolve", outcome="fixed", answer="Done.")
    clock.advance(timedelta(days=14, seconds=1))
    refused = act(support, staff, case, "reopen", note="again")
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/closed-for-reopen")


def test_a_waiting_case_wakes_by_itself(support, staff, clock: FixedClock):
    wake_at = (clock.now() + timedelta(hours=1)).isoformat()
    case = act(support, staff, opened(support, staff), "wait", waits_for="third_party", wake_at=wake_at)
    clock.advance(timedelta(hours=1))
    support.fire_timers()
    assert support.client.get(f"/v1/cases/{case.json['id']}", headers=staff).json["state"] == "open"


def test_a_case_against_an_asset_keeps_the_cover_of_its_first_hour(support, staff, tell, clock: FixedClock):
    tell("order.shipped", shipment_lines=SHIPMENT)
    asset = support.client.get("/v1/assets", headers=staff).json["items"][0]
    case = opened(support, staff, asset_id=asset["id"], kind="incident")
    assert case.json["cover"]["basis"] == "warranty"
    assert case.json["account_id"] == asset["account_id"]
    clock.advance(timedelta(days=1000))
    later = support.client.get(f"/v1/cases/{case.json['id']}", headers=staff).json
    assert later["cover"]["basis"] == "warranty"


def test_a_case_under_contract_uses_one_incident_until_none_is_left(support, staff, tell, clock: FixedClock):
    tell("opportunity.won", term_months=60)
    tell("order.acknowledged")
    tell("order.shipped", shipment_lines=SHIPMENT)
    contract = support.client.get("/v1/contracts", headers=staff).json["items"][0]
    grant = {"kind": "incidents", "quantity": "1", "source_id": "grant"}
    support.client.post(f"/v1/contracts/{contract['id']}/top-up", json=grant, headers=staff)
    asset = support.client.get("/v1/assets", headers=staff).json["items"][0]
    clock.advance(timedelta(days=800))  # past the warranty, inside the contract
    opened(support, staff, asset_id=asset["id"])
    consumed = support.facts("crm.support.entitlement.consumed.v1")
    assert [(fact.data["quantity"], fact.data["balance"]) for fact in consumed] == [("1", "0.000")]
    body = {"subject": "Again", "asset_id": asset["id"]}
    refused = support.client.post("/v1/cases", json=body, headers=staff)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/entitlement-exhausted")
    assert len(support.client.get("/v1/cases", headers=staff).json["items"]) == 1


def test_portal_users_see_their_own_cases_only(support, staff):
    account, contact = str(uuid.uuid4()), str(uuid.uuid4())
    customer = bearer(
        kind="portal",
        permissions={"case.read": "own", "case.create": "own"},
        account_id=account,
        contact_id=contact,
        sight="own",
    )
    own = opened(support, customer, account_id=str(uuid.uuid4()))
    assert (own.json["account_id"], own.json["channel"]) == (account, "portal")
    foreign = opened(support, staff, account_id=account)
    assert support.client.get(f"/v1/cases/{foreign.json['id']}", headers=customer).status_code == 404
    assert [row["id"] for row in support.client.get("/v1/cases", headers=customer).json["items"]] == [
        own.json["id"]
    ]


def test_illegal_verbs_name_the_state_and_what_is_allowed(support, staff):
    refused = act(support, staff, opened(support, staff), "close")
    assert refused.status_code == 409
    assert (refused.json["state"], refused.json["allowed"]) == (
        "new",
        ["assign", "wait", "resolve", "cancel"],
    )


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [("high", "high", "p1"), ("high", "medium", "p2"), ("medium", "medium", "p3"), ("low", "low", "p4")],
)
def test_priority_follows_from_impact_and_urgency(impact, urgency, priority):
    assert priority_of(impact, urgency) == priority


def test_the_check_digit_is_that_of_the_standards_example():
    # 7992739871 carries the check digit 3 in the usual worked example of the Luhn algorithm.
    assert luhn_digit(7992739871) == 3
    assert case_number(1000423) == "1000423-2"


@given(st.integers(10**6, 10**9), st.integers(0, 6), st.integers(1, 9))
def test_any_single_wrong_digit_is_found(number, place, change):
    digits = list(str(number))
    digits[place] = str((int(digits[place]) + change) % 10)
    assert luhn_digit(int("".join(digits))) != luhn_digit(number)


def test_the_cases_of_an_erased_contact_keep_times_and_lose_words(support, staff):
    person, other = str(uuid.uuid4()), str(uuid.uuid4())
    words = {"subject": "Frau Brandt waits", "description": "Call +49 30 1234567"}
    case = opened(support, staff, contact_id=person, **words)
    case = act(support, staff, case, "resolve", outcome="fixed", answer="Dear Frau Brandt")
    foreign = opened(support, staff, contact_id=other, **words)
    erased = json.loads((EXAMPLES / "contact.erased.v1" / "typical.json").read_text()) | {
        "contact_id": person
    }
    for version in (2, 3):
        support.deliver("crm.sales.contact.erased.v1", erased, subject=person, version=version)

    def shown(which):
        return support.client.get(f"/v1/cases/{which.json['id']}", headers=staff).json

    now = shown(case)
    assert [now[name] for name in ("subject", "description", "answer", "outcome")] == [
        "Erased",
        None,
        None,
        "fixed",
    ]
    assert now["resolved_at"] == case.json["resolved_at"]
    assert {entry["note"] for entry in now["log"]} == {None}
    assert shown(foreign)["subject"] == words["subject"]
    assert {fact.subject for fact in support.facts("crm.support.case.erased.v1")} == {case.json["id"]}
