"""What customers see of the work at their sites."""

from __future__ import annotations

import uuid

from shared.testing.tokens import customer_bearer
from tests.fieldservice.conftest import SITE, FieldService

WORK_ORDER = {
    "id", "version", "number", "kind", "state", "priority", "subject", "order_id", "account_id", "contact_id",
    "due_at", "earliest_at", "created_at", "updated_at",
}  # fmt: skip
VISIT = {
    "id", "version", "work_order_id", "work_order_number", "account_id", "visit_no", "state", "start_at",
    "end_at", "time_zone", "created_at", "updated_at",
}  # fmt: skip


def test_customers_see_their_visits_and_no_notes_of_the_staff(fieldservice: FieldService) -> None:
    account = str(uuid.uuid4())
    customer = customer_bearer(account, "work_order.read", "appointment.read")
    site = {**SITE, "access_notes": "The gate's code is 4711", "latitude": "52.5", "longitude": "13.4"}
    order = fieldservice.work_order(account_id=account, site=site)
    visit = fieldservice.visit(order, fieldservice.technician())
    fieldservice.act("work-orders", order, "hold", {"kind": "customer", "reason": "Owes us for the last one"})

    (row,) = fieldservice.get("work-orders", customer)["items"]
    assert set(row) == WORK_ORDER
    detail = fieldservice.get(f"work-orders/{order['id']}", customer)
    assert set(detail) == WORK_ORDER | {
        "case_id", "asset_id", "product_id", "site", "reported_at", "lines", "started_at", "completed_at",
        "appointments",
    }  # fmt: skip
    assert set(detail["site"]) == {"address", "time_zone"}
    (planned,) = detail["appointments"]
    assert set(planned) == {"id", "visit_no", "state", "start_at", "end_at"}
    assert set(fieldservice.get("appointments", customer)["items"][0]) == VISIT
    assert set(fieldservice.get(f"appointments/{visit['id']}", customer)) == VISIT | {
        "promised_window", "told_window", "arrived_at", "finished_at",
    }  # fmt: skip


def test_customers_cannot_ask_by_what_they_do_not_see(fieldservice: FieldService) -> None:
    customer = customer_bearer(uuid.uuid4(), "work_order.read", "appointment.read")
    for path in ("work-orders?on_hold=true", "work-orders?needs_attention=true", "work-orders?fields=holds"):
        answer = fieldservice.service.client.get(f"/v1/{path}", headers=customer)
        assert answer.status_code == 422, path
    by_technician = f"/v1/appointments?technician_id={uuid.uuid4()}"
    assert fieldservice.service.client.get(by_technician, headers=customer).status_code == 422
