"""The contract that a win opens: what it covers, and what becomes of it whatever order the facts come in."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.support.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService

WON, ACKNOWLEDGED, REJECTED = "opportunity.won", "order.acknowledged", "order.rejected"


def contracts(support: RunningService, staff: dict[str, str]) -> list[dict[str, Any]]:
    rows = support.client.get("/v1/contracts", headers=staff).json["items"]
    return [support.client.get(f"/v1/contracts/{row['id']}", headers=staff).json for row in rows]


def test_a_win_drafts_one_contract_for_what_is_a_service(support, staff, tell):
    tell(WON)
    (contract,) = contracts(support, staff)
    assert contract["state"] == "draft"
    assert contract["starts_on"] is None
    assert [line["product_id"] for line in contract["lines"]] == ["018f3b1e-0000-7000-8000-0000000002b1"]
    assert contract["term_months"] == 12
    assert [fact.type for fact in support.facts()] == ["crm.support.contract.drafted.v1"]


def test_a_win_without_services_is_covered_by_its_warranty(support, staff, tell):
    line = {
        "line_id": "018f3b1e-0000-7000-8000-00000000010b",
        "product_id": "018f3b1e-0000-7000-8000-00000000010c",
        "sku": "RC-500",
        "name": "Robot controller",
        "kind": "good",
        "quantity": "2",
        "unit": "C62",
        "unit_net": {"amount": "1", "currency": "EUR"},
        "net": {"amount": "2.00", "currency": "EUR"},
        "needs_installation": True,
        "warranty_months": 24,
    }
    tell(WON, lines=[line], term_months=None)
    (contract,) = contracts(support, staff)
    assert contract["term_months"] == 24
    assert contract["lines"][0]["covered_product_id"] == line["product_id"]


@pytest.mark.parametrize("changes", [{"origin": "import"}, {"lines": []}])
def test_history_and_bare_wins_open_nothing(support, staff, tell, changes):
    tell(WON, **changes)
    assert contracts(support, staff) == []
    assert support.facts() == []


def test_an_accepted_order_puts_the_contract_in_force_for_its_term(support, staff, tell):
    tell(WON)
    tell(ACKNOWLEDGED)
    (contract,) = contracts(support, staff)
    assert (contract["state"], contract["starts_on"], contract["ends_on"]) == (
        "active",
        "2026-03-02",
        "2027-03-01",
    )
    assert [fact.type for fact in support.facts()] == [
        "crm.support.contract.drafted.v1",
        "crm.support.contract.activated.v1",
    ]


def test_lines_that_the_erp_did_not_confirm_are_struck(support, staff, tell, draft_with_two_services):
    confirmed, struck = draft_with_two_services
    tell(ACKNOWLEDGED, lines=[confirmed, {**struck, "confirmed": "0"}])
    (contract,) = contracts(support, staff)
    assert {line["order_line_id"]: line["struck"] for line in contract["lines"]} == {
        confirmed["line_id"]: False,
        struck["line_id"]: True,
    }


@pytest.mark.parametrize("order", list(itertools.permutations([WON, ACKNOWLEDGED])))
def test_won_and_acknowledged_end_equal_in_any_order(support, staff, tell, order):
    for name in order:
        tell(name)
    (contract,) = contracts(support, staff)
    assert contract["state"] == "active"
    assert [fact.type.rsplit(".", 2)[1] for fact in support.facts()] == ["drafted", "activated"]


@pytest.mark.parametrize("order", list(itertools.permutations([WON, REJECTED])))
def test_won_and_rejected_end_equal_in_any_order(support, staff, tell, order):
    for name in order:
        tell(name)
    (contract,) = contracts(support, staff)
    assert contract["state"] == "cancelled"
    assert [fact.type.rsplit(".", 2)[1] for fact in support.facts()] == ["drafted", "cancelled"]


def test_a_repeated_fact_changes_nothing(support, staff, tell):
    for name in (WON, WON, ACKNOWLEDGED, ACKNOWLEDGED):
        tell(name)
    assert len(contracts(support, staff)) == 1
    assert len(support.facts()) == 2


def test_a_late_acceptance_does_not_revive_a_cancelled_contract(support, staff, tell):
    for name in (WON, REJECTED, ACKNOWLEDGED):
        tell(name)
    (contract,) = contracts(support, staff)
    assert contract["state"] == "cancelled"
    assert [item["code"] for item in contract["attention"]] == ["acknowledged_after_cancellation"]


def test_a_contract_in_force_is_never_ended_silently(support, staff, tell):
    for name in (WON, ACKNOWLEDGED, "order.cancelled"):
        tell(name)
    (contract,) = contracts(support, staff)
    assert contract["state"] == "active"
    assert [item["code"] for item in contract["attention"]] == ["order_cancelled"]


def test_a_reopened_deal_takes_its_draft_back_and_may_bring_another(support, staff, tell):
    tell(WON)
    tell("opportunity.reopened", previous_status="won")
    tell(WON, order_id="018f3b1e-0000-7000-8000-0000000009aa")
    assert sorted(contract["state"] for contract in contracts(support, staff)) == ["cancelled", "draft"]


def test_a_contract_expires_the_day_after_its_last(support, staff, tell, clock: FixedClock):
    tell(WON)
    tell(ACKNOWLEDGED)
    clock.advance(timedelta(days=364, hours=14))
    support.fire_timers()
    assert contracts(support, staff)[0]["state"] == "active"
    clock.advance(timedelta(days=1))
    support.fire_timers()
    support.fire_timers()
    assert contracts(support, staff)[0]["state"] == "expired"
    assert [fact.type for fact in support.facts()].count("crm.support.contract.expired.v1") == 1


def test_verbs_are_refused_where_the_state_forbids_them(support, staff, tell):
    tell(WON)
    (contract,) = contracts(support, staff)
    address = f"/v1/contracts/{contract['id']}"
    tag = {"If-Match": f'"{contract["version"]}"'}
    refused = support.client.post(f"{address}/resume", headers={**staff, **tag})
    assert refused.status_code == 409
    assert refused.json["allowed"] == ["edit", "activate", "cancel"]
    cancelled = support.client.post(f"{address}/cancel", json={"reason": "wrong"}, headers={**staff, **tag})
    assert (cancelled.status_code, cancelled.json["state"]) == (200, "cancelled")
    assert support.client.post(f"{address}/activate", json={}, headers={**staff, **tag}).status_code == 412


def test_a_contract_by_hand_is_drafted_activated_suspended_and_resumed(support, staff):
    body = {
        "account_id": "018f3b1e-0000-7000-8000-000000000104",
        "term_months": 6,
        "lines": [{"product_id": "018f3b1e-0000-7000-8000-0000000002b1", "quantity": "1"}],
    }
    answer = support.client.post("/v1/contracts", json=body, headers=staff)
    assert answer.status_code == 201
    address = f"/v1/contracts/{answer.json['id']}"
    for verb, state in (("activate", "active"), ("suspend", "suspended"), ("resume", "active")):
        given = {"json": {"starts_on": "2026-03-31"}} if verb == "activate" else {}
        answer = support.client.post(
            f"{address}/{verb}", headers={**staff, "If-Match": answer.headers["ETag"]}, **given
        )
        assert answer.json["state"] == state
    assert answer.json["ends_on"] == "2026-09-29"


def test_entitlements_are_granted_once_and_never_go_below_zero(support, staff, tell):
    tell(WON)
    (contract,) = contracts(support, staff)
    address = f"/v1/contracts/{contract['id']}"
    grant = {"kind": "incidents", "quantity": "2", "source_id": "order 17"}
    for _ in range(2):
        answer = support.client.post(f"{address}/top-up", json=grant, headers=staff)
        assert (answer.status_code, Decimal(answer.json["balance"])) == (200, 2)
    listed = support.client.get(f"{address}/entitlements", headers=staff).json
    assert [(row["kind"], row["balance"]) for row in listed] == [("incidents", "2.000")]


def test_the_openapi_document_names_every_route():
    assert {"/v1/contracts", "/v1/assets", "/v1/cases"} <= _paths()


def _paths() -> set[str]:
    import json

    from shared.web.documentation import openapi_document

    return set(json.loads(openapi_document(SERVICE))["paths"])


@pytest.fixture
def draft_with_two_services(tell: Callable[..., Any]) -> list[dict[str, Any]]:
    """The order lines of a win with two services."""
    lines = []
    for number in (1, 2):
        lines.append(
            {
                "line_id": f"018f3b1e-0000-7000-8000-00000000aa0{number}",
                "product_id": "018f3b1e-0000-7000-8000-0000000002b1",
                "sku": "CARE-12",
                "name": "Care",
                "description": "Care",
                "kind": "service",
                "quantity": "1",
                "confirmed": "1",
                "shipped": "0",
                "invoiced": "0",
                "unit": "MON",
                "unit_net": {"amount": "10", "currency": "EUR"},
                "net": {"amount": "10.00", "currency": "EUR"},
                "tax_code": "standard",
                "needs_installation": False,
                "warranty_months": 0,
            }
        )
    tell(WON, lines=lines)
    return lines
