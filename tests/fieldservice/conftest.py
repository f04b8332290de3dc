"""Field service with a clock that tests move, its staff, and the facts of one sale."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from services.fieldservice.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService, SentFact
from shared.testing.tokens import bearer

EXAMPLES = Path(__file__).parents[2] / "shared/contracts/examples"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORDER_ID = "018f3b1e-0000-7000-8000-00000000010a"
LINE_ID = "018f3b1e-0000-7000-8000-00000000010b"
ACCOUNT_ID = "018f3b1e-0000-7000-8000-000000000104"
CONTACT_ID = "018f3b1e-0000-7000-8000-000000000105"
OWNER_ID = "018f3b1e-0000-7000-8000-000000000100"
SITE = {"address": {"lines": ["Werkstrasse 14"], "country": "DE"}, "time_zone": "Europe/Berlin"}


def at(hour: int, minute: int = 0, day: int = 3) -> str:
    """An instant in March 2026, as the API takes it."""
    return f"2026-03-{day:02d}T{hour:02d}:{minute:02d}:00Z"


@dataclass(frozen=True)
class FieldService:
    """A running field service. Requests are an administrator's unless they name headers."""

    service: RunningService
    clock: FixedClock
    admin: dict[str, str] = field(default_factory=lambda: bearer(permissions={"*": "all"}))

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """What GET answers with 200."""
        answer = self.service.client.get(f"/v1/{path}", query_string=query, headers=headers or self.admin)
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(
        self,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        method: str = "POST",
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Send a change; `version` goes into If-Match."""
        sent = dict(headers or self.admin)
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return self.service.client.open(f"/v1/{path}", method=method, json=body, headers=sent)

    def done(self, path: str, body: Any = None, **options: Any) -> Any:
        """Send a change that must succeed; its answer."""
        answer = self.send(path, body, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def refused(self, status: int, path: str, body: Any = None, **options: Any) -> Any:
        """Send a change that must be refused with `status`; the problem."""
        answer = self.send(path, body, **options)
        assert answer.status_code == status, answer.text
        return answer.json

    def act(self, record: str, item: Any, verb: str, body: Any = None, **options: Any) -> Any:
        """Do `verb` to the present version of a record; the answer."""
        version = self.get(f"{record}/{item['id']}")["version"]
        return self.done(
            f"{record}/{item['id']}/{verb}", {} if body is None else body, version=version, **options
        )

    def report(self, visit: Any, *verbs: str) -> Any:
        """Several verbs on an appointment, one after the other; the last answer."""
        answer: Any = None
        for verb in verbs:
            body = {"stop-short": {"reason": "A part is missing", "next_needs": "Part 7"}}.get(verb, {})
            body = body or ({"reason": "Nobody there"} if verb in ("no-access", "cancel") else {})
            answer = self.act("appointments", visit, verb, body)
        return answer

    def technician(self, name: str = "Jonas Weber", **values: Any) -> Any:
        """A technician made by the fact that a user has the role."""
        data = json.loads((EXAMPLES / "identity/user.created.v1/typical.json").read_text())
        user_id = values.pop("user_id", str(uuid.uuid4()))
        data |= {"user_id": user_id, "display_name": name, "role_names": ["technician"], "state": "active"}
        self.service.deliver("crm.identity.user.created.v1", {**data, **values}, subject=user_id)
        return self.get("technicians", user_id=user_id)["items"][0]

    def work_order(self, **values: Any) -> Any:
        """A work order made by hand."""
        body = {"kind": "repair", "account_id": ACCOUNT_ID, "subject": "Repair the press", "site": SITE}
        return self.done("work-orders", {**body, **values})

    def plan(
        self, order: Any, technician: Any, start: str = at(8), end: str = at(10), **values: Any
    ) -> dict[str, Any]:
        """The body that schedules a visit."""
        assignees = [{"technician_id": technician["id"]}]
        return {
            "work_order_id": order["id"],
            "start_at": start,
            "end_at": end,
            "assignees": assignees,
            **values,
        }

    def visit(self, order: Any, technician: Any, start: str = at(8), end: str = at(10), **values: Any) -> Any:
        """A visit, scheduled."""
        return self.done("appointments", self.plan(order, technician, start, end, **values))

    def tell(self, name: str, **changes: Any) -> uuid.UUID:
        """`tell("order.acknowledged", lines=...)`: a fact of the sale, with some fields changed."""
        data = json.loads((EXAMPLES / f"sales/{name}.v1" / "typical.json").read_text())
        options = {key: changes.pop(key) for key in ("event_id", "correlation_id") if key in changes}
        return self.service.deliver(f"crm.sales.{name}.v1", {**data, **changes}, subject=ORDER_ID, **options)

    def lines(self, name: str = "order.submitted") -> list[dict[str, Any]]:
        """The lines of a sale's fact, to be changed."""
        data = json.loads((EXAMPLES / f"sales/{name}.v1" / "typical.json").read_text())
        return deepcopy(data["lines"])

    def ship(self, cumulative: str, serials: list[str] | None = None) -> None:
        """Tell that so many of the line are on their way."""
        line = {
            "line_id": LINE_ID,
            "quantity": cumulative,
            "cumulative": cumulative,
            "serials": serials or [],
        }
        self.tell("order.shipped", shipment_lines=[line])

    def installations(self) -> list[Any]:
        """The work orders of the sale in full, oldest first."""
        found = self.get("work-orders", order_id=ORDER_ID, sort="number")["items"]
        return [self.get(f"work-orders/{each['id']}") for each in found]

    def facts(self, name: str) -> list[SentFact]:
        """Facts of `crm.fieldservice.<name>.v1`."""
        return self.service.facts(f"crm.fieldservice.{name}.v1")

    def later(self, **delta: float) -> None:
        """Move the clock."""
        self.clock.advance(timedelta(**delta))


@pytest.fixture
def fieldservice(running_service: Callable[..., RunningService]) -> FieldService:
    clock = FixedClock(NOW)
    return FieldService(running_service(SERVICE, clock=clock), clock)
