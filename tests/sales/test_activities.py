"""Activities: planned, done, missed and called off."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sales.conftest import Sales

NOON = "2026-03-02T12:00:00Z"


def plan(sales: Sales, **values: Any) -> Any:
    return sales.done("/v1/activities", {"type": "task", "subject": "Send papers", "due_at": NOON, **values})


def step(sales: Sales, activity: Any, verb: str, body: Any = None) -> Any:
    return sales.done(f"/v1/activities/{activity['id']}/{verb}", body, activity["version"])


def test_a_plan_names_the_customer_through_what_it_regards(sales: Sales) -> None:
    deal = sales.deal()
    activity = plan(sales, regarding=[{"type": "opportunity", "id": deal["id"]}])
    assert (activity["status"], activity["opportunity_id"]) == ("planned", deal["id"])
    assert activity["account_id"] == deal["account_id"]
    (fact,) = sales.facts("activity.planned")
    assert (fact.data["account_id"], fact.data["due_at"]) == (deal["account_id"], NOON)


def test_a_plan_regards_only_what_is_there(sales: Sales) -> None:
    body = {"type": "task", "subject": "x", "regarding": [{"type": "contact", "id": str(uuid.uuid4())}]}
    assert sales.send("/v1/activities", body).status_code == 404
    assert sales.facts("activity.planned") == []


def test_a_plan_lies_ahead(sales: Sales) -> None:
    sales.refused(
        422,
        "due-in-past",
        "/v1/activities",
        {"type": "task", "subject": "x", "due_at": "2026-03-02T09:00:00Z"},
    )


def test_what_took_place_is_logged_at_its_time(sales: Sales) -> None:
    call = {"direction": "outbound", "call_ref": "c-1"}
    body = {"type": "call", "subject": "Hello", "outcome": "Interested", "duration_seconds": 90, "call": call}
    logged = sales.done("/v1/activities/log", body | {"completed_at": "2026-03-01T10:00:00Z"})
    assert (logged["status"], logged["completed_at"]) == ("completed", "2026-03-01T10:00:00Z")
    (fact,) = sales.facts("activity.completed")
    assert (fact.data["effective_at"], fact.data["completed_by"]) == ("2026-03-01T10:00:00Z", str(sales.me))
    assert fact.data["call"] == {**call, "disposition": None}
    assert sales.facts("activity.planned") == []


def test_only_calls_have_call_data(sales: Sales) -> None:
    body = {"type": "task", "subject": "x", "call": {"direction": "inbound"}}
    sales.refused(422, "not-a-call", "/v1/activities/log", body)


BODIES: dict[str, Any] = {
    "start": None,
    "complete": {"outcome": "Done"},
    "cancel": {"reason": "Not needed"},
    "replan": {"due_at": "2026-03-20T12:00:00Z"},
}
LEGAL = {
    "planned": ["start", "complete", "cancel", "replan"],
    "in_progress": ["complete", "cancel"],
    "missed": ["complete", "replan"],
    "completed": [],
    "cancelled": [],
}
LEADS_TO = {"start": "in_progress", "complete": "completed", "cancel": "cancelled", "replan": "planned"}
TELLS = {"start": [], "complete": ["completed"], "cancel": ["cancelled"], "replan": ["planned"]}


def in_state(sales: Sales, state: str) -> Any:
    activity = plan(sales)
    if state == "missed":
        sales.pass_time(hours=27)
    elif state != "planned":
        verb = next(verb for verb, target in LEADS_TO.items() if target == state)
        step(sales, activity, verb, BODIES[verb])
    return sales.get(f"/v1/activities/{activity['id']}")


@pytest.mark.parametrize("verb", LEADS_TO)
@pytest.mark.parametrize("state", LEGAL)
def test_every_verb_in_every_state(sales: Sales, state: str, verb: str) -> None:
    activity = in_state(sales, state)
    assert (activity["status"], activity["allowed"]) == (state, LEGAL[state])
    told = sales.told()
    if verb in LEGAL[state]:
        assert step(sales, activity, verb, BODIES[verb])["status"] == LEADS_TO[verb]
        assert sales.told() == told + [f"activity.{kind}" for kind in TELLS[verb]]
        return
    path = f"/v1/activities/{activity['id']}/{verb}"
    no = sales.refused(409, "illegal-state", path, BODIES[verb], activity["version"])
    assert (no["state"], no["allowed"]) == (state, LEGAL[state])
    assert sales.told() == told


def test_a_plan_is_missed_a_day_after_it_was_due_once(sales: Sales) -> None:
    activity = plan(sales)
    sales.pass_time(hours=26, minutes=59)
    assert sales.facts("activity.missed") == []
    sales.pass_time(minutes=1)
    assert sales.facts("activity.missed")[0].data["missed_at"] == "2026-03-03T12:00:00Z"
    missed = sales.get(f"/v1/activities/{activity['id']}")
    step(sales, missed, "replan", {"due_at": "2026-03-04T12:00:00Z"})
    sales.pass_time(hours=47)
    assert len(sales.facts("activity.missed")) == 1
    sales.pass_time(hours=1)
    assert len(sales.facts("activity.missed")) == 2


@pytest.mark.parametrize("verb", ["start", "complete", "cancel"])
def test_what_is_no_longer_planned_is_not_missed(sales: Sales, verb: str) -> None:
    step(sales, plan(sales), verb, BODIES[verb])
    sales.pass_time(days=3)
    assert sales.facts("activity.missed") == []


def test_a_plan_without_a_due_time_is_never_missed(sales: Sales) -> None:
    plan(sales, due_at=None)
    sales.pass_time(days=300)
    assert sales.facts("activity.missed") == []
