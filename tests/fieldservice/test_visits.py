"""Visits: planned, moved, carried out; nobody at two places at once."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
import sqlalchemy.exc
from sqlalchemy import text

from shared.testing.tokens import bearer
from tests.fieldservice.conftest import FieldService, at

PLAN = {"appointment.schedule": "all", "appointment.read": "all", "work_order.read": "all"}


def state_of(fieldservice: FieldService, order: Any) -> str:
    found: str = fieldservice.get(f"work-orders/{order['id']}")["state"]
    return found


# -- planning --------------------------------------------------------------------------------------------


def test_a_scheduled_visit_is_told_and_schedules_its_work_order(fieldservice: FieldService) -> None:
    order, jonas, mia = (
        fieldservice.work_order(),
        fieldservice.technician("Jonas Weber"),
        fieldservice.technician("Mia Lang"),
    )
    crew = [
        {"technician_id": jonas["id"], "role": "helper"},
        {"technician_id": mia["id"], "role": "lead"},
    ]
    window = {"from": at(7), "to": at(11)}
    visit = fieldservice.visit(order, jonas, assignees=crew, promised_window=window)
    assert (visit["state"], visit["visit_no"], visit["work_order_number"]) == (
        "scheduled",
        1,
        order["number"],
    )
    assert visit["promised_window"] == visit["told_window"] == window
    assert visit["allowed"] == ["move", "depart", "arrive", "cancel"]
    (change,) = visit["history"]
    assert (change["from_state"], change["to_state"], change["source"]) == (None, "scheduled", "office")
    detail = fieldservice.get(f"work-orders/{order['id']}")
    assert detail["state"] == "scheduled"
    assert sorted(detail["crew_ids"]) == sorted([jonas["user_id"], mia["user_id"]])
    assert [each["id"] for each in detail["appointments"]] == [visit["id"]]
    (told,) = fieldservice.facts("appointment.scheduled")
    assert [each["role"] for each in told.data["assignees"]] == ["lead", "helper"]
    assert told.data["technician_first_name"] == "Mia"
    assert (told.data["template_key"], told.data["time_zone"]) == ("visit_scheduled", "Europe/Berlin")
    (scheduled,) = fieldservice.facts("work_order.scheduled")
    assert scheduled.data["technician_ids"] == [mia["id"], jonas["id"]]
    assert scheduled.data["appointment_id"] == visit["id"]


def test_a_held_work_order_is_planned_only_by_who_may_override_and_says_why(
    fieldservice: FieldService,
) -> None:
    order, jonas = fieldservice.work_order(), fieldservice.technician()
    fieldservice.act("work-orders", order, "hold", {"kind": "parts", "reason": "Pump on order"})
    body = fieldservice.plan(order, jonas)
    problem = fieldservice.refused(409, "appointments", body)
    assert problem["type"].endswith("/not-schedulable")
    assert problem["obstacles"] == [{"code": "on_hold", "detail": "parts: Pump on order"}]
    body["override_reason"] = "Only the frame is mounted"
    dispatcher = bearer(permissions=PLAN)
    assert (
        "appointment.override"
        in fieldservice.refused(403, "appointments", body, headers=dispatcher)["detail"]
    )
    assert fieldservice.get("appointments")["items"] == []
    assert fieldservice.done("appointments", body)["override_reason"] == "Only the frame is mounted"
    # Where nothing stands in the way there is nothing to override.
    free = fieldservice.plan(fieldservice.work_order(), jonas, at(12), at(13), override_reason="No need")
    assert fieldservice.done("appointments", free, headers=dispatcher)["override_reason"] is None


def test_a_crew_without_the_skill_is_refused(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    role = {"role": "lead", "skills": [{"skill": "hydraulics", "min_level": 2}]}
    order = fieldservice.work_order(demand=[{"duration_min": 60, "roles": [role]}])
    problem = fieldservice.refused(409, "appointments", fieldservice.plan(order, jonas))
    assert problem["obstacles"] == [
        {"code": "skills", "detail": "Jonas Weber lacks hydraulics at level 2 on 2026-03-03."}
    ]
    skills = [{"skill": "hydraulics", "level": 2, "valid_until": "2026-03-03"}]
    fieldservice.done(f"technicians/{jonas['id']}", {"skills": skills}, version=1, method="PATCH")
    assert fieldservice.visit(order, jonas)["state"] == "scheduled"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"start_at": at(9), "end_at": at(8)}, "/end_at"),
        ({"start_at": at(6, day=2), "end_at": at(9, day=2)}, "/end_at"),
        ({"visit_no": 2}, "/visit_no"),
        ({"assignees": []}, "/assignees"),
        ({"assignees": [{"technician_id": str(uuid.uuid4())}]}, "/assignees/0/technician_id"),
        ({"promised_window": {"from": at(9), "to": at(9)}}, "/promised_window/to"),
        ({"number": "WO-1"}, "/number"),
    ],
)
def test_a_visit_that_cannot_be_is_refused(
    fieldservice: FieldService, changes: dict[str, Any], pointer: str
) -> None:
    body = fieldservice.plan(fieldservice.work_order(), fieldservice.technician())
    problem = fieldservice.refused(422, "appointments", {**body, **changes})
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert fieldservice.get("appointments")["items"] == []


def test_only_open_work_orders_get_visits(fieldservice: FieldService) -> None:
    order, jonas = fieldservice.work_order(), fieldservice.technician()
    fieldservice.act("work-orders", order, "close-out", {"reason": "Fixed on the telephone"})
    problem = fieldservice.refused(409, "appointments", fieldservice.plan(order, jonas))
    assert (problem["state"], problem["allowed"]) == ("completed", ["reopen"])
    missing = {**fieldservice.plan(order, jonas), "work_order_id": str(uuid.uuid4())}
    fieldservice.refused(404, "appointments", missing)


# -- occupancy -------------------------------------------------------------------------------------------


def test_a_technician_has_no_two_visits_at_once(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    first = fieldservice.visit(fieldservice.work_order(), jonas, at(8), at(10))
    order = fieldservice.work_order()
    problem = fieldservice.refused(409, "appointments", fieldservice.plan(order, jonas, at(9, 59), at(11)))
    assert problem["type"].endswith("/technician-busy")
    assert problem["blocking_appointment_id"] == first["id"]
    assert problem["technician_id"] == jonas["id"]
    assert (problem["start_at"], problem["end_at"]) == (at(8), at(10))
    # A refused visit leaves nothing behind, and one may begin where another ends.
    assert state_of(fieldservice, order) == "unscheduled"
    assert len(fieldservice.facts("appointment.scheduled")) == 1
    second = fieldservice.visit(order, jonas, at(10), at(11))
    move = {"start_at": at(9), "end_at": at(11)}
    problem = fieldservice.refused(409, f"appointments/{second['id']}/move", move, version=second["version"])
    assert problem["blocking_appointment_id"] == first["id"]
    fieldservice.report(first, "cancel")
    fieldservice.done(f"appointments/{second['id']}/move", move, version=second["version"])


def test_the_same_moment_is_given_away_once_however_many_ask(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    bodies = [fieldservice.plan(fieldservice.work_order(), jonas) for _ in range(6)]
    barrier = threading.Barrier(len(bodies))
    answers: list[Any] = []

    def ask(body: dict[str, Any]) -> None:
        barrier.wait()
        answers.append(fieldservice.send("appointments", body))

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    (won,) = [answer.json for answer in answers if answer.status_code == 201]
    blocked = {answer.json["blocking_appointment_id"] for answer in answers if answer.status_code == 409}
    assert blocked == {won["id"]}
    assert [each["id"] for each in fieldservice.get("appointments")["items"]] == [won["id"]]


def test_a_transaction_still_open_decides_who_comes_second(fieldservice: FieldService) -> None:
    """Not a check before the insert: the second waits for the first transaction, which nobody else can see yet."""
    jonas = fieldservice.technician()
    visit = fieldservice.visit(fieldservice.work_order(), jonas, at(14), at(15))
    body = fieldservice.plan(fieldservice.work_order(), jonas)
    answers: list[Any] = []
    with fieldservice.service.runtime.database.engine.connect() as other:
        other.execute(
            text(
                "UPDATE appointment_assignees SET busy = tstzrange(:start, :end) WHERE appointment_id = :id"
            ),
            {"start": at(8), "end": at(9), "id": visit["id"]},
        )
        asking = threading.Thread(target=lambda: answers.append(fieldservice.send("appointments", body)))
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        other.commit()
        asking.join(5)
    assert answers[0].status_code == 409
    assert answers[0].json["blocking_appointment_id"] == visit["id"]


def test_a_technician_is_on_one_visit_at_a_time(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    first = fieldservice.visit(fieldservice.work_order(), jonas, at(8), at(10))
    second = fieldservice.visit(fieldservice.work_order(), jonas, at(10), at(11))
    fieldservice.report(first, "depart")
    problem = fieldservice.refused(409, f"appointments/{second['id']}/arrive", {}, version=second["version"])
    assert problem["type"].endswith("/technician-underway")
    assert problem["blocking_appointment_id"] == first["id"]
    fieldservice.report(first, "arrive", "complete")
    assert fieldservice.report(second, "arrive")["state"] == "in_progress"


# -- moving ----------------------------------------------------------------------------------------------


def test_a_moved_visit_tells_the_customer_unless_it_stays_in_the_window(fieldservice: FieldService) -> None:
    jonas, mia = fieldservice.technician(), fieldservice.technician("Mia Lang")
    window = {"from": at(7), "to": at(11)}
    visit = fieldservice.visit(fieldservice.work_order(), jonas, promised_window=window)
    inside = {"start_at": at(9), "end_at": at(11), "reason": "Traffic"}
    visit = fieldservice.act("appointments", visit, "move", inside)
    assert (visit["start_at"], visit["promised_window"]) == (at(9), window)
    outside = {"start_at": at(13), "end_at": at(15), "assignees": [{"technician_id": mia["id"]}]}
    visit = fieldservice.act("appointments", visit, "move", outside)
    assert visit["promised_window"] is visit["told_window"] is None
    assert [each["technician_id"] for each in visit["assignees"]] == [mia["id"]]
    first, second = fieldservice.facts("appointment.moved")
    assert (first.data["template_key"], first.data["previous_start_at"]) == (None, at(8))
    assert (first.data["reason"], first.data["told_window"]) == ("Traffic", window)
    assert (second.data["template_key"], second.data["previous_end_at"]) == ("visit_moved", at(11))
    assert second.data["technician_first_name"] == "Mia"
    # Jonas is free again, and the work order knows who comes.
    order = fieldservice.get(f"work-orders/{visit['work_order_id']}")
    assert order["crew_ids"] == [mia["user_id"]]
    fieldservice.visit(fieldservice.work_order(), jonas, at(13), at(15))


def test_a_lost_race_gets_412_and_changes_nothing(fieldservice: FieldService) -> None:
    visit = fieldservice.visit(fieldservice.work_order(), fieldservice.technician())
    fieldservice.act("appointments", visit, "move", {"start_at": at(9), "end_at": at(11)})
    late = {"start_at": at(15), "end_at": at(16)}
    fieldservice.refused(412, f"appointments/{visit['id']}/move", late, version=visit["version"])
    fieldservice.refused(428, f"appointments/{visit['id']}/move", late)
    assert fieldservice.get(f"appointments/{visit['id']}")["start_at"] == at(9)
    assert len(fieldservice.facts("appointment.moved")) == 1


# -- carrying out ----------------------------------------------------------------------------------------

ALLOWED = {
    (): ["move", "depart", "arrive", "cancel"],
    ("depart",): ["arrive", "no_access", "cancel"],
    ("arrive",): ["pause", "complete", "stop_short", "no_access"],
    ("arrive", "pause"): ["resume", "stop_short"],
    ("arrive", "complete"): [],
    ("arrive", "stop-short"): [],
    ("depart", "no-access"): [],
    ("cancel",): [],
}
BODIES: dict[str, dict[str, str]] = {
    "move": {"start_at": at(9), "end_at": at(11)},
    "stop-short": {"reason": "Late", "next_needs": "Nothing"},
    "no-access": {"reason": "Late"},
    "cancel": {"reason": "Late"},
}


@pytest.mark.parametrize("path", ALLOWED, ids=lambda path: "-".join(path) or "scheduled")
def test_each_state_allows_its_verbs_and_no_other(fieldservice: FieldService, path: tuple[str, ...]) -> None:
    visit = fieldservice.visit(fieldservice.work_order(), fieldservice.technician())
    fieldservice.report(visit, *path)
    visit = fieldservice.get(f"appointments/{visit['id']}")
    assert visit["allowed"] == ALLOWED[path]
    verbs = ("move", "depart", "arrive", "pause", "resume", "complete", "stop-short", "no-access", "cancel")
    for verb in verbs:
        if verb.replace("-", "_") not in ALLOWED[path]:
            address = f"appointments/{visit['id']}/{verb}"
            problem = fieldservice.refused(409, address, BODIES.get(verb, {}), version=visit["version"])
            assert (problem["state"], problem["allowed"]) == (visit["state"], ALLOWED[path])
    assert fieldservice.get(f"appointments/{visit['id']}") == visit


@pytest.mark.parametrize(
    ("path", "order_state", "outcome", "facts"),
    [
        (("depart",), "scheduled", None, ["scheduled"]),
        (("arrive",), "in_progress", None, ["scheduled", "started"]),
        (("arrive", "pause"), "in_progress", None, ["scheduled", "started"]),
        (("arrive", "complete"), "completed", "done", ["scheduled", "started", "completed"]),
        (("arrive", "stop-short"), "unscheduled", "partial", ["scheduled", "started"]),
        (("depart", "no-access"), "unscheduled", "no_access", ["scheduled"]),
        (("cancel",), "unscheduled", None, ["scheduled"]),
    ],
)
def test_the_work_order_follows_its_visit(
    fieldservice: FieldService, path: tuple[str, ...], order_state: str, outcome: str | None, facts: list[str]
) -> None:
    order = fieldservice.work_order()
    visit = fieldservice.visit(order, fieldservice.technician())
    assert fieldservice.report(visit, *path)["outcome"] == outcome
    order = fieldservice.get(f"work-orders/{order['id']}")
    assert order["state"] == order_state
    assert order["needs_follow_up"] is (outcome in ("partial", "no_access"))
    said = [fact.type.split(".")[3] for fact in fieldservice.service.facts() if ".work_order." in fact.type]
    assert said == ["created", *facts]


def test_a_second_visit_finishes_the_work_but_it_was_no_first_time_fix(fieldservice: FieldService) -> None:
    order, jonas = fieldservice.work_order(), fieldservice.technician()
    fieldservice.report(fieldservice.visit(order, jonas), "arrive", "stop-short")
    again = fieldservice.visit(order, jonas, at(12), at(13))
    assert again["visit_no"] == 1
    assert state_of(fieldservice, order) == "in_progress"
    fieldservice.report(again, "arrive", "complete")
    order = fieldservice.get(f"work-orders/{order['id']}")
    assert (order["state"], order["first_time_fix"], order["needs_follow_up"]) == ("completed", False, False)
    (completed,) = fieldservice.facts("work_order.completed")
    assert (completed.data["visits"], completed.data["first_time_fix"]) == (2, False)


def test_work_that_takes_two_visits_is_completed_by_the_second(fieldservice: FieldService) -> None:
    order, jonas = (
        fieldservice.work_order(demand=[{"duration_min": 60}, {"duration_min": 30}]),
        fieldservice.technician(),
    )
    first = fieldservice.visit(order, jonas, at(8), at(9))
    second = fieldservice.visit(order, jonas, at(10), at(11))
    assert (first["visit_no"], second["visit_no"]) == (1, 2)
    fieldservice.report(first, "arrive", "complete")
    assert state_of(fieldservice, order) == "in_progress"
    fieldservice.report(second, "arrive", "complete")
    order = fieldservice.get(f"work-orders/{order['id']}")
    assert (order["state"], order["first_time_fix"]) == ("completed", True)


def test_original_times_are_kept_beside_the_time_they_were_heard(fieldservice: FieldService) -> None:
    visit = fieldservice.visit(fieldservice.work_order(), fieldservice.technician())
    fieldservice.later(hours=5)
    fieldservice.act("appointments", visit, "arrive", {"at": at(10, day=2)})
    address = f"appointments/{visit['id']}/complete"
    for wrong, why in ((at(9, 59, day=2), "before"), (at(14, 1, day=2), "yet")):
        problem = fieldservice.refused(422, address, {"at": wrong}, version=2)
        assert problem["errors"][0]["pointer"] == "/at"
        assert why in problem["errors"][0]["detail"]
    done = fieldservice.act("appointments", visit, "complete", {"at": at(11, 30, day=2)})
    assert (done["arrived_at"], done["finished_at"]) == (at(10, day=2), at(11, 30, day=2))
    assert [change["effective_at"] for change in done["history"]][1:] == [at(10, day=2), at(11, 30, day=2)]
    assert {change["received_at"] for change in done["history"][1:]} == {at(14, day=2)}
    (completed,) = fieldservice.facts("work_order.completed")
    assert (completed.data["completed_at"], completed.data["labour_minutes"]) == (at(11, 30, day=2), 90)


def test_the_history_of_a_visit_is_never_changed(fieldservice: FieldService) -> None:
    fieldservice.visit(fieldservice.work_order(), fieldservice.technician())
    for statement in (
        "UPDATE appointment_status_changes SET actor = 'x'",
        "DELETE FROM appointment_status_changes",
    ):
        with fieldservice.service.runtime.database.engine.begin() as connection:
            with pytest.raises(sqlalchemy.exc.DBAPIError, match="never changed"):
                connection.execute(text(statement))
            connection.rollback()


# -- who -------------------------------------------------------------------------------------------------


def test_technicians_see_and_work_on_their_own_visits_only(fieldservice: FieldService) -> None:
    jonas, mia = fieldservice.technician(), fieldservice.technician("Mia Lang")
    mine = fieldservice.visit(fieldservice.work_order(), jonas)
    other = fieldservice.visit(fieldservice.work_order(), mia)
    me = bearer(
        jonas["user_id"],
        {"appointment.read": "own", "appointment.work": "own", "work_order.read": "own"},
    )
    assert [each["id"] for each in fieldservice.get("appointments", me)["items"]] == [mine["id"]]
    assert [each["id"] for each in fieldservice.get("work-orders", me)["items"]] == [mine["work_order_id"]]
    fieldservice.refused(404, f"appointments/{other['id']}/arrive", {}, version=1, headers=me)
    fieldservice.refused(403, f"appointments/{mine['id']}/cancel", {"reason": "No"}, version=1, headers=me)
    fieldservice.done(f"appointments/{mine['id']}/arrive", {}, version=1, headers=me)
    assert fieldservice.get(f"appointments/{other['id']}")["state"] == "scheduled"


def test_customers_see_the_visits_of_their_account(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    account, contact = str(uuid.uuid4()), str(uuid.uuid4())
    visit = fieldservice.visit(fieldservice.work_order(account_id=account, contact_id=contact), jonas)
    fieldservice.visit(fieldservice.work_order(), jonas, at(11), at(12))
    claims = {"kind": "portal", "account_id": account, "contact_id": contact, "sight": "own"}
    customer = bearer(None, {"appointment.read": "own", "work_order.read": "own"}, **claims)
    assert [each["id"] for each in fieldservice.get("appointments", customer)["items"]] == [visit["id"]]


def test_appointments_are_found_by_technician_and_day(fieldservice: FieldService) -> None:
    jonas, mia = fieldservice.technician(), fieldservice.technician("Mia Lang")
    first = fieldservice.visit(fieldservice.work_order(), jonas)
    second = fieldservice.visit(fieldservice.work_order(), jonas, at(8, day=4), at(9, day=4))
    fieldservice.visit(fieldservice.work_order(), mia)

    def found(**query: Any) -> list[str]:
        return [each["id"] for each in fieldservice.get("appointments", **query)["items"]]

    assert found(technician_id=jonas["id"]) == [first["id"], second["id"]]
    assert found(technician_id=jonas["id"], start_at_gte=at(0, day=4)) == [second["id"]]
    assert found(work_order_id=first["work_order_id"]) == [first["id"]]
    assert found(technician_id=mia["id"], state="completed") == []
