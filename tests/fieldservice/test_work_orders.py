"""Work orders made and closed by hand."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from shared.testing.tokens import bearer
from tests.fieldservice.conftest import ACCOUNT_ID, SITE, FieldService, at


def test_a_work_order_is_made_by_hand(fieldservice: FieldService) -> None:
    site = {**SITE, "latitude": "52.5057", "longitude": "13.396"}
    order = fieldservice.work_order(priority="high", due_at=at(12), site=site)
    assert (order["number"], order["state"], order["priority"]) == ("WO-00000001", "unscheduled", "high")
    assert order["source"] == {"kind": "manual", "id": None, "line_id": None}
    assert (order["site"]["latitude"], order["needs_geocode"]) == ("52.5057", False)
    assert order["demand"] == [{"duration_min": 120, "roles": [{"role": "lead", "skills": []}]}]
    assert order["allowed"] == ["edit", "hold", "release", "schedule", "close_out", "cancel"]
    (created,) = fieldservice.facts("work_order.created")
    assert created.data["site"]["longitude"] == "13.396"
    assert created.data["order_id"] is created.data["case_id"] is None
    assert fieldservice.work_order()["number"] == "WO-00000002"


def test_a_case_gets_one_work_order_however_often_it_is_asked_for(fieldservice: FieldService) -> None:
    case_id = str(uuid.uuid4())
    source = {"kind": "case", "id": case_id}
    barrier, answers = threading.Barrier(4), []
    body = {"kind": "repair", "account_id": ACCOUNT_ID, "subject": "Repair", "site": SITE, "source": source}

    def ask() -> None:
        barrier.wait()
        answers.append(fieldservice.send("work-orders", body))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    (made,) = [answer.json for answer in answers if answer.status_code == 201]
    problems = [answer.json for answer in answers if answer.status_code == 409]
    assert {(each["work_order_id"], each["number"]) for each in problems} == {(made["id"], made["number"])}
    assert made["case_id"] == case_id
    assert len(fieldservice.facts("work_order.created")) == 1
    fieldservice.act("work-orders", made, "cancel", {"reason": "Solved by telephone"})
    assert fieldservice.done("work-orders", body)["case_id"] == case_id


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"due_at": at(8, day=1)}, "/due_at"),
        ({"site": {**SITE, "latitude": "91", "longitude": "13"}}, "/site/latitude"),
        ({"site": {**SITE, "latitude": "52.5", "longitude": "-180.1"}}, "/site/longitude"),
        ({"site": {**SITE, "latitude": "52.5"}}, "/site/longitude"),
        ({"site": {"time_zone": "Europe/Berlin"}}, "/site/address"),
        ({"site": {**SITE, "time_zone": "Mars/Olympus"}}, "/site/time_zone"),
        ({"demand": [{"duration_min": 4}]}, "/demand/0/duration_min"),
        ({"demand": []}, "/demand"),
        ({"demand": [{"duration_min": 30, "roles": [{"role": "helper"}]}]}, "/demand/0/roles"),
        ({"source": {"kind": "case"}}, "/source/id"),
        ({"source": {"kind": "order_line", "id": str(uuid.uuid4())}}, "/source/kind"),
        ({"state": "completed"}, "/state"),
    ],
)
def test_a_work_order_that_cannot_be_is_refused(
    fieldservice: FieldService, changes: dict[str, Any], pointer: str
) -> None:
    body = {"kind": "repair", "account_id": ACCOUNT_ID, "subject": "Repair", "site": SITE}
    problem = fieldservice.refused(422, "work-orders", {**body, **changes})
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert fieldservice.facts("work_order.created") == []


def test_an_open_work_order_is_edited(fieldservice: FieldService) -> None:
    order = fieldservice.work_order()
    address = f"work-orders/{order['id']}"
    changes = {"priority": "emergency", "due_at": at(12), "site": {"latitude": "1", "longitude": "2"}}
    edited = fieldservice.done(address, changes, version=1, method="PATCH")
    assert (edited["priority"], edited["due_at"], edited["version"]) == ("emergency", at(12), 2)
    assert edited["site"]["time_zone"] == "Europe/Berlin"
    fieldservice.refused(412, address, {"priority": "low"}, version=1, method="PATCH")
    fieldservice.refused(422, address, {"due_at": at(8, day=1)}, version=2, method="PATCH")
    fieldservice.act("work-orders", order, "cancel", {"reason": "A mistake"})
    problem = fieldservice.refused(409, address, {"priority": "low"}, version=3, method="PATCH")
    assert problem["state"] == "cancelled"


def test_holds_are_set_once_and_released_once(fieldservice: FieldService) -> None:
    order = fieldservice.work_order()
    fieldservice.act("work-orders", order, "hold", {"kind": "access", "reason": "Key missing"})
    fieldservice.later(hours=1)
    held = fieldservice.act("work-orders", order, "hold", {"kind": "access", "reason": "Gate closed"})
    assert [(hold["kind"], hold["reason"]) for hold in held["holds"]] == [("access", "Gate closed")]
    assert held["holds"][0]["since"].startswith("2026-03-02T09:00")
    assert len(fieldservice.get("work-orders", on_hold="true")["items"]) == 1
    assert fieldservice.act("work-orders", order, "release", {"kind": "access"})["holds"] == []
    problem = fieldservice.refused(409, f"work-orders/{order['id']}/release", {"kind": "access"}, version=4)
    assert problem["type"].endswith("/not-held")


def test_cancelling_takes_open_appointments_along(fieldservice: FieldService) -> None:
    order, jonas = fieldservice.work_order(), fieldservice.technician()
    visit = fieldservice.visit(order, jonas)
    fieldservice.report(visit, "depart")
    cancelled = fieldservice.act("work-orders", order, "cancel", {"reason": "Customer gave up"})
    assert (cancelled["state"], cancelled["end_reason"], cancelled["allowed"]) == (
        "cancelled",
        "Customer gave up",
        [],
    )
    gone = fieldservice.get(f"appointments/{visit['id']}")
    assert (gone["state"], gone["reason"], gone["outcome"]) == ("cancelled", "Customer gave up", None)
    (fact,) = fieldservice.facts("work_order.cancelled")
    assert (fact.data["code"], fact.data["text"]) == ("cancelled_by_hand", "Customer gave up")
    fieldservice.visit(fieldservice.work_order(), jonas)


def test_running_work_is_neither_cancelled_nor_closed_out(fieldservice: FieldService) -> None:
    order = fieldservice.work_order()
    visit = fieldservice.visit(order, fieldservice.technician())
    fieldservice.report(visit, "arrive", "pause")
    version = fieldservice.get(f"work-orders/{order['id']}")["version"]
    for verb in ("cancel", "close-out"):
        body = {"reason": "No longer"}
        problem = fieldservice.refused(409, f"work-orders/{order['id']}/{verb}", body, version=version)
        assert problem["running_appointment_ids"] == [visit["id"]]
    assert "close_out" in problem.get("allowed", ["close_out"])
    assert fieldservice.facts("work_order.cancelled") == fieldservice.facts("work_order.completed") == []
    assert fieldservice.get(f"appointments/{visit['id']}")["state"] == "on_break"


def test_closing_out_rests_the_cascade_until_it_is_reopened(fieldservice: FieldService) -> None:
    order, jonas = fieldservice.work_order(), fieldservice.technician()
    fieldservice.report(fieldservice.visit(order, jonas), "arrive", "stop-short")
    waiting = fieldservice.visit(order, jonas, at(12), at(13))
    closed = fieldservice.act("work-orders", order, "close-out", {"reason": "The customer finished it"})
    assert (closed["state"], closed["allowed"], closed["needs_follow_up"]) == ("completed", ["reopen"], False)
    assert fieldservice.get(f"appointments/{waiting['id']}")["state"] == "cancelled"
    (completed,) = fieldservice.facts("work_order.completed")
    assert (completed.data["outcome"], completed.data["first_time_fix"]) == ("closed_out", None)
    assert (completed.data["visits"], completed.data["fitted"]) == (1, [])
    fieldservice.later(minutes=1)
    reopened = fieldservice.act("work-orders", order, "reopen", {"reason": "It leaks"})
    assert (reopened["state"], reopened["first_time_fix"]) == ("unscheduled", False)
    # What was done before no longer counts: a new visit is the first one, and finishes it.
    visit = fieldservice.visit(order, jonas, at(14), at(15))
    assert fieldservice.get(f"work-orders/{order['id']}")["state"] == "scheduled"
    fieldservice.report(visit, "arrive", "complete")
    order = fieldservice.get(f"work-orders/{order['id']}")
    assert (order["state"], order["first_time_fix"]) == ("completed", False)
    assert [fact.data["outcome"] for fact in fieldservice.facts("work_order.completed")] == [
        "closed_out",
        "done",
    ]


def test_the_worklist_is_filtered_sorted_and_paged(fieldservice: FieldService) -> None:
    made = {
        name: fieldservice.work_order(subject=name, priority=priority, due_at=due)["id"]
        for name, priority, due in (
            ("a", "low", at(9)),
            ("b", "emergency", None),
            ("c", "normal", at(8)),
            ("d", "high", at(10)),
        )
    }
    fieldservice.visit({"id": made["a"]}, fieldservice.technician())

    def worklist(**query: Any) -> str:
        return "".join(each["subject"] for each in fieldservice.get("work-orders", **query)["items"])

    assert worklist(sort="priority") == "bdca"
    assert worklist(sort="due_at") == "cadb"
    assert worklist(state="scheduled") == "a"
    assert worklist(priority="high", state="unscheduled") == "d"
    assert worklist(sort="due_at", due_at_lte=at(9)) == "ca"
    first = fieldservice.get("work-orders", sort="priority", limit=3)
    rest = fieldservice.get("work-orders", sort="priority", limit=3, cursor=first["next"])
    assert "".join(each["subject"] for each in first["items"] + rest["items"]) == "bdca"
    fieldservice.act("work-orders", {"id": made["c"]}, "cancel", {"reason": "No longer"})
    assert worklist(open="true", sort="number") == "abd"
    assert worklist(open="false") == "c"


def test_permissions_guard_each_verb(fieldservice: FieldService) -> None:
    order = fieldservice.work_order()
    reader = bearer(permissions={"work_order.read": "all"})
    for verb, body in (
        ("hold", {"kind": "parts", "reason": "x"}),
        ("release", {"kind": "parts"}),
        ("cancel", {"reason": "x"}),
        ("close-out", {"reason": "x"}),
        ("reopen", {"reason": "x"}),
    ):
        fieldservice.refused(403, f"work-orders/{order['id']}/{verb}", body, version=1, headers=reader)
    assert fieldservice.get(f"work-orders/{order['id']}", reader)["version"] == 1
