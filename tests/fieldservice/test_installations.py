"""Sales orders make installations, release them and take them back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.fieldservice.conftest import ACCOUNT_ID, CONTACT_ID, LINE_ID, ORDER_ID, OWNER_ID, FieldService, at

CHAIN = uuid.UUID("018f3b1e-0000-7000-8000-000000000126")


def kinds(order: Any) -> list[str]:
    return [hold["kind"] for hold in order["holds"]]


def test_a_submitted_order_makes_one_work_order_per_line_that_needs_installing(
    fieldservice: FieldService,
) -> None:
    fieldservice.tell("order.submitted", correlation_id=CHAIN)
    (order,) = fieldservice.installations()
    assert order["number"] == "WO-00000001"
    assert (order["kind"], order["state"], order["priority"]) == ("install", "unscheduled", "normal")
    assert order["source"] == {"kind": "order_line", "id": ORDER_ID, "line_id": LINE_ID}
    assert order["account_id"] == ACCOUNT_ID
    assert order["contact_id"] == CONTACT_ID
    assert order["owner_id"] == OWNER_ID
    assert kinds(order) == ["order", "goods"]
    assert order["site"]["address"]["lines"] == ["Werkstrasse 14", "Tor 3"]
    assert order["needs_geocode"] is True
    assert order["reported_at"] == "2026-03-02T09:00:00Z"
    (line,) = order["lines"]
    assert (line["sku"], line["quantity"], line["state"]) == ("RC-500", "24", "planned")
    assert order["appointments"] == []
    assert order["root_correlation_id"] == str(CHAIN)
    (created,) = fieldservice.facts("work_order.created")
    assert created.data["order_id"] == ORDER_ID
    assert created.data["holds"] == ["order", "goods"]
    assert created.correlation_id == CHAIN
    assert created.headers["ce_causationid"]


def test_the_same_submission_makes_nothing_twice(fieldservice: FieldService) -> None:
    event_id = fieldservice.tell("order.submitted")
    fieldservice.tell("order.submitted", event_id=event_id)
    fieldservice.tell("order.submitted")
    assert len(fieldservice.installations()) == 1
    assert len(fieldservice.facts("work_order.created")) == 1


def test_imported_and_plain_orders_make_no_work_order(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted", origin="import")
    fieldservice.tell("order.shipped", origin="import")
    fieldservice.tell("order.rejected", origin="import")
    assert fieldservice.installations() == []
    # Nothing was remembered of it either: the real order is not taken for an ended one.
    fieldservice.tell("order.submitted", lines=fieldservice.lines()[1:])
    assert fieldservice.installations() == []
    assert fieldservice.facts("work_order.created") == []


def test_acceptance_and_shipment_release_the_holds(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted")
    fieldservice.tell("order.acknowledged")
    assert kinds(fieldservice.installations()[0]) == ["goods"]
    fieldservice.ship("2", ["A", "B"])
    (order,) = fieldservice.installations()
    assert kinds(order) == ["goods"]
    assert order["earliest_at"] is None
    fieldservice.ship("24", ["B", "C"])
    (order,) = fieldservice.installations()
    assert kinds(order) == []
    assert order["earliest_at"] == "2026-03-03T09:00:00Z"
    assert order["lines"][0]["serials"] == ["A", "B", "C"]


@pytest.mark.parametrize("name", ["order.rejected", "order.cancelled"])
def test_an_ended_order_takes_its_installation_back(fieldservice: FieldService, name: str) -> None:
    fieldservice.tell("order.submitted")
    fieldservice.tell(name)
    (order,) = fieldservice.installations()
    text = {"order.rejected": "credit_limit: Credit limit exceeded"}.get(
        name, "cancelled_on_request: Cancelled before picking"
    )
    assert (order["state"], order["end_reason"], order["allowed"]) == ("cancelled", text, [])
    (cancelled,) = fieldservice.facts("work_order.cancelled")
    assert (cancelled.data["code"], cancelled.data["text"]) == (name.replace(".", "_"), text)
    fieldservice.tell(name)
    assert len(fieldservice.facts("work_order.cancelled")) == 1


def test_a_planned_visit_goes_with_the_order_and_frees_the_technician(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    jonas = fieldservice.technician()
    visit = fieldservice.visit(order, jonas, override_reason="The customer waits")
    fieldservice.tell("order.rejected")
    gone = fieldservice.get(f"appointments/{visit['id']}")
    assert gone["state"] == "cancelled"
    assert [change["source"] for change in gone["history"]] == ["office", "event"]
    fieldservice.visit(fieldservice.work_order(), jonas)


def test_work_that_has_begun_is_flagged_not_stopped(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    visit = fieldservice.visit(order, fieldservice.technician(), override_reason="The customer waits")
    fieldservice.report(visit, "arrive")
    fieldservice.tell("order.cancelled")
    (order,) = fieldservice.installations()
    assert order["state"] == "in_progress"
    assert [item["code"] for item in order["attention"]] == ["order_cancelled"]
    assert fieldservice.get(f"appointments/{visit['id']}")["state"] == "in_progress"
    assert fieldservice.facts("work_order.cancelled") == []
    assert [each["id"] for each in fieldservice.get("work-orders", needs_attention="true")["items"]] == [
        order["id"]
    ]


def test_a_cancellation_that_comes_first_leaves_a_tombstone(fieldservice: FieldService) -> None:
    fieldservice.tell("order.rejected")
    assert fieldservice.installations() == []
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    assert order["state"] == "cancelled"
    types = [fact.type.split(".")[-2] for fact in fieldservice.service.facts()]
    assert types == ["created", "cancelled"]


def test_what_comes_before_the_submission_is_applied_with_it(fieldservice: FieldService) -> None:
    fieldservice.ship("24", ["A"])
    fieldservice.tell("order.acknowledged")
    assert fieldservice.installations() == []
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    assert kinds(order) == []
    assert order["state"] == "unscheduled"
    assert order["lines"][0]["serials"] == ["A"]


def test_a_late_acceptance_after_the_cancellation_is_only_noted(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted")
    fieldservice.tell("order.rejected")
    fieldservice.tell("order.acknowledged")
    fieldservice.ship("24")
    (order,) = fieldservice.installations()
    assert order["state"] == "cancelled"
    assert kinds(order) == ["order", "goods"]
    assert [item["code"] for item in order["attention"]] == ["acknowledged_after_cancellation"]


def test_an_acceptance_says_nothing_about_an_installation_cancelled_by_hand(
    fieldservice: FieldService,
) -> None:
    fieldservice.tell("order.submitted")
    (order,) = fieldservice.installations()
    fieldservice.act("work-orders", order, "cancel", {"reason": "The customer installs it himself"})
    fieldservice.tell("order.acknowledged")
    (order,) = fieldservice.installations()
    assert (order["state"], order["attention"]) == ("cancelled", [])


def test_a_line_that_was_not_confirmed_is_not_installed(fieldservice: FieldService) -> None:
    lines = fieldservice.lines()
    lines[1]["needs_installation"] = True
    fieldservice.tell("order.submitted", lines=lines)
    assert len(fieldservice.installations()) == 2
    confirmed = fieldservice.lines("order.acknowledged")
    confirmed[0]["confirmed"], confirmed[1]["confirmed"] = "10", "0"
    fieldservice.tell("order.acknowledged", lines=confirmed, partial=True)
    first, second = fieldservice.installations()
    assert (first["state"], kinds(first), first["lines"][0]["quantity"]) == ("unscheduled", ["goods"], "10")
    assert second["state"] == "cancelled"
    assert fieldservice.facts("work_order.cancelled")[0].data["code"] == "line_not_confirmed"
    fieldservice.ship("10")
    assert kinds(fieldservice.installations()[0]) == []


def test_a_shipment_says_nothing_about_other_lines(fieldservice: FieldService) -> None:
    lines = fieldservice.lines()
    lines[1]["needs_installation"] = True
    fieldservice.tell("order.submitted", lines=lines)
    fieldservice.ship("24")
    assert [kinds(order) for order in fieldservice.installations()] == [["order"], ["order", "goods"]]


def test_an_order_submitted_again_is_planned_again(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted")
    fieldservice.tell("order.rejected")
    fieldservice.tell("order.submitted", request_no=2)
    first, second = fieldservice.installations()
    assert (first["state"], second["state"]) == ("cancelled", "unscheduled")
    # The rejection of the first request, heard again, and its late acceptance say nothing about the second.
    fieldservice.tell("order.rejected")
    fieldservice.tell("order.acknowledged", request_no=1)
    assert kinds(fieldservice.installations()[1]) == ["order", "goods"]
    fieldservice.tell("order.acknowledged", request_no=2)
    first, second = fieldservice.installations()
    assert kinds(second) == ["goods"]
    assert first["attention"] == []


def test_an_installed_line_is_handed_over_with_its_serials(fieldservice: FieldService) -> None:
    fieldservice.tell("order.submitted", correlation_id=CHAIN)
    fieldservice.tell("order.acknowledged")
    fieldservice.ship("24", ["A", "B"])
    (order,) = fieldservice.installations()
    visit = fieldservice.visit(order, fieldservice.technician(), at(8), at(10))
    assert visit["root_correlation_id"] == str(CHAIN)
    fieldservice.report(visit, "depart")
    fieldservice.later(minutes=35)
    fieldservice.report(visit, "arrive")
    fieldservice.later(minutes=100)
    fieldservice.report(visit, "pause")
    fieldservice.later(minutes=30)
    fieldservice.report(visit, "resume")
    fieldservice.later(minutes=20, seconds=30)
    fieldservice.report(visit, "complete")
    (order,) = fieldservice.installations()
    assert (order["state"], order["first_time_fix"], order["lines"][0]["state"]) == (
        "completed",
        True,
        "used",
    )
    (completed,) = fieldservice.facts("work_order.completed")
    product = order["product_id"]
    assert completed.data["fitted"] == [
        {"product_id": product, "serial": "A", "quantity": "1"},
        {"product_id": product, "serial": "B", "quantity": "1"},
        {"product_id": product, "serial": None, "quantity": "22"},
    ]
    assert (completed.data["outcome"], completed.data["visits"]) == ("done", 1)
    assert (completed.data["labour_minutes"], completed.data["travel_minutes"]) == (121, 35)
    # From the win to the finished visit it is one chain, whoever reported what.
    assert {fact.correlation_id for fact in fieldservice.service.facts()} == {CHAIN}
    assert [fact.type.split(".", 2)[2] for fact in fieldservice.service.facts()] == [
        "work_order.created.v1",
        "appointment.scheduled.v1",
        "work_order.scheduled.v1",
        "work_order.started.v1",
        "work_order.completed.v1",
    ]
