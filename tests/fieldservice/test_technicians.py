"""Technicians follow their users."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.fieldservice.conftest import EXAMPLES, FieldService


def tell_user(fieldservice: FieldService, user_id: str, version: int, **changes: Any) -> None:
    data = json.loads((EXAMPLES / "identity/user.created.v1/typical.json").read_text())
    data |= {"user_id": user_id, "role_names": ["technician"], "state": "active", **changes}
    kind = "changed" if version > 1 else "created"
    fieldservice.service.deliver(f"crm.identity.user.{kind}.v1", data, subject=user_id, version=version)


def test_a_user_with_the_role_becomes_a_technician(fieldservice: FieldService) -> None:
    user_id = str(uuid.uuid4())
    tell_user(fieldservice, user_id, 1, role_names=["sales_rep"])
    assert fieldservice.get("technicians")["items"] == []
    tell_user(fieldservice, user_id, 2, display_name="Jonas Weber")
    tell_user(fieldservice, user_id, 3, display_name="Jonas Weber-Lang")
    (found,) = fieldservice.get("technicians")["items"]
    assert (found["user_id"], found["technician_no"]) == (user_id, 1)
    assert (found["display_name"], found["active"]) == ("Jonas Weber-Lang", True)
    assert (found["time_zone"], found["skills"]) == ("Europe/Berlin", [])


def test_who_leaves_gets_no_more_visits(fieldservice: FieldService) -> None:
    jonas, order = fieldservice.technician(), fieldservice.work_order()
    tell_user(fieldservice, jonas["user_id"], 3, active=False, state="deactivated")
    # An older fact that comes late brings nobody back.
    tell_user(fieldservice, jonas["user_id"], 2)
    jonas = fieldservice.get(f"technicians/{jonas['id']}")
    assert (jonas["active"], jonas["user_active"]) == (False, False)
    problem = fieldservice.refused(422, "appointments", fieldservice.plan(order, jonas))
    assert problem["errors"][0]["pointer"] == "/assignees/0/technician_id"
    address, switch_on = f"technicians/{jonas['id']}", {"active": True}
    problem = fieldservice.refused(409, address, switch_on, version=jonas["version"], method="PATCH")
    assert problem["type"].endswith("/user-inactive")
    # Back at work, a dispatcher decides when visits begin again.
    tell_user(fieldservice, jonas["user_id"], 4)
    jonas = fieldservice.get(address)
    assert (jonas["active"], jonas["user_active"]) == (False, True)
    fieldservice.done(address, switch_on, version=jonas["version"], method="PATCH")
    assert fieldservice.visit(order, jonas)["state"] == "scheduled"


def test_a_dispatcher_makes_a_technician_of_a_known_user(fieldservice: FieldService) -> None:
    user_id = str(uuid.uuid4())
    problem = fieldservice.refused(422, "technicians", {"user_id": user_id})
    assert problem["errors"][0]["pointer"] == "/user_id"
    tell_user(fieldservice, user_id, 1, role_names=["dispatcher"], display_name="Mia Lang")
    skills = [{"skill": "welding", "level": 3, "valid_until": "2027-01-31"}]
    made = fieldservice.done(
        "technicians", {"user_id": user_id, "skills": skills, "time_zone": "Europe/Vienna"}
    )
    assert (made["display_name"], made["time_zone"], made["skills"]) == ("Mia Lang", "Europe/Vienna", skills)
    problem = fieldservice.refused(409, "technicians", {"user_id": user_id})
    assert problem["technician_id"] == made["id"]
    assert [each["id"] for each in fieldservice.get("technicians", skill="welding")["items"]] == [made["id"]]
    assert fieldservice.get("technicians", skill="plumbing")["items"] == []
    tell_user(fieldservice, user_id, 2, active=False, role_names=["dispatcher"])
    assert fieldservice.get("technicians", active="false")["items"][0]["id"] == made["id"]


def test_wrong_skills_and_zones_are_refused(fieldservice: FieldService) -> None:
    jonas = fieldservice.technician()
    welding = {"skill": "welding", "level": 3}
    for changes, pointer in (
        ({"time_zone": "Berlin"}, "/time_zone"),
        ({"skills": [{"skill": "welding", "level": 6}]}, "/skills/0/level"),
        ({"skills": [welding, welding]}, "/skills"),
        ({"skills": [{**welding, "valid_until": "soon"}]}, "/skills/0/valid_until"),
        ({"user_id": str(uuid.uuid4())}, "/user_id"),
    ):
        problem = fieldservice.refused(422, f"technicians/{jonas['id']}", changes, version=1, method="PATCH")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
