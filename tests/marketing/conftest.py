"""Marketing with a small sales team, and what tests ask of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.marketing.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService, SentFact
from shared.testing.tokens import bearer

ALL = dict.fromkeys(
    [
        f"lead.{verb}"
        for verb in ("read", "capture", "import", "judge", "qualify", "assign", "disqualify", "merge")
    ]
    + [f"{noun}.{verb}" for noun in ("form", "scoring_model") for verb in ("read", "edit")],
    "all",
)
TEAM = uuid.UUID("018f3b1e-0000-7000-8000-000000000900")
ANN, BOB, CAT = (uuid.UUID(f"018f3b1e-0000-7000-8000-00000000090{n}") for n in (1, 2, 3))

PERSON = {
    "given_name": "Ines",
    "family_name": "Brandt",
    "email": "ines.brandt@acme-robotics.example",
    "phone": "+4930123456",
    "title": "Head of Production",
    "company_name": "Acme Robotics GmbH",
    "employee_count": 240,
    "country": "DE",
    "product_group": "controllers",
}


@dataclass(frozen=True)
class Marketing:
    """A running marketing. Requests are a marketer's unless they name headers."""

    service: RunningService
    clock: FixedClock
    marketer: dict[str, str]

    @property
    def client(self) -> FlaskClient:
        return self.service.client

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Send a request; `version` goes into If-Match."""
        sent = dict(headers or self.marketer)
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return self.client.open(path, method=method, json=body, headers=sent)

    def get(self, path: str, **query: Any) -> Any:
        """What GET answers with 200."""
        answer = self.client.get(path, query_string=query, headers=self.marketer)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """Send a change that must succeed; its answer."""
        answer = self.send("POST", path, body, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def act(self, lead: dict[str, Any], verb: str, body: Any = None) -> Any:
        """Do something to the present version of a lead."""
        version = self.get(f"/v1/leads/{lead['id']}")["version"]
        return self.post(f"/v1/leads/{lead['id']}/{verb}", body, version=version)

    def refused(self, lead: dict[str, Any], verb: str, body: Any = None) -> Any:
        """The problem document of something that must be refused."""
        version = self.get(f"/v1/leads/{lead['id']}")["version"]
        answer = self.send("POST", f"/v1/leads/{lead['id']}/{verb}", body, version=version)
        assert answer.status_code >= 400, answer.text
        return answer.json

    def captured(self, **values: Any) -> Any:
        """A lead as it came in; PERSON with `values`, a value of None leaves a field out."""
        body = {name: value for name, value in {**PERSON, **values}.items() if value is not None}
        return self.post("/v1/leads", body)

    def lead(self, **values: Any) -> Any:
        """A captured lead after the worker has judged it."""
        found = self.captured(**values)
        self.service.run_commands()
        return self.read(found)

    def hot(self, **values: Any) -> Any:
        """A lead that went to sales by itself."""
        lead = self.lead(behaviour_type="demo_request", **values)
        assert lead["state"] == "qualified"
        return lead

    def read(self, lead: dict[str, Any]) -> Any:
        """The lead as it is now."""
        return self.get(f"/v1/leads/{lead['id']}")

    def form(self, **values: Any) -> Any:
        """A form."""
        return self.post("/v1/forms", {"name": "Contact us", **values})

    def accept(self, lead: dict[str, Any], handover_no: int = 1, **values: Any) -> dict[str, Any]:
        """Sales accepts; what it said."""
        data = {
            "origin": "user",
            "effective_at": "2026-03-02T10:00:00Z",
            "lead_id": lead["id"],
            "handover_no": handover_no,
            "campaign_id": None,
            "accepted_by": str(ANN),
            "owner_id": str(ANN),
            "account_id": str(uuid.uuid4()),
            "contact_id": str(uuid.uuid4()),
            "opportunity_id": str(uuid.uuid4()),
            **values,
        }
        self.service.deliver("crm.sales.lead.accepted.v1", data, subject=lead["id"])
        return data

    def give_back(self, lead: dict[str, Any], handover_no: int = 1, reason: str = "not_now") -> None:
        """Sales returns a lead."""
        data = {
            "origin": "user",
            "effective_at": "2026-03-02T10:00:00Z",
            "lead_id": lead["id"],
            "handover_no": handover_no,
            "campaign_id": None,
            "returned_by": str(ANN),
            "reason": reason,
            "note": None,
        }
        self.service.deliver("crm.sales.lead.returned.v1", data, subject=lead["id"], version=2)

    def facts(self, kind: str | None = None, lead: dict[str, Any] | None = None) -> list[SentFact]:
        """Facts of `crm.marketing.lead.<kind>.v1`, about one lead if given."""
        sent = self.service.facts(kind and f"crm.marketing.lead.{kind}.v1")
        return [fact for fact in sent if lead is None or fact.subject == lead["id"]]

    def said(self, lead: dict[str, Any]) -> list[str]:
        """The past participles of all facts about a lead, in order."""
        return [fact.type.split(".")[3] for fact in self.facts(lead=lead)]

    def hire(self, user_id: uuid.UUID, name: str) -> None:
        """Identity tells of somebody new in the sales team."""
        self._tell("created", _user(user_id, name), version=1)

    def dismiss(self, user_id: uuid.UUID, name: str) -> None:
        """Identity tells that somebody has left."""
        left = {"active": False, "state": "deactivated", "successor_id": None}
        self._tell("deactivated", _user(user_id, name) | left, version=2)

    def _tell(self, kind: str, user: dict[str, Any], *, version: int) -> None:
        self.service.deliver(f"crm.identity.user.{kind}.v1", user, subject=user["user_id"], version=version)


def _user(user_id: uuid.UUID, name: str) -> dict[str, Any]:
    return {
        "user_id": str(user_id),
        "email": f"{name.lower()}@company.example",
        "display_name": name,
        "manager_id": None,
        "team_ids": [str(TEAM)],
        "role_names": ["sales_rep"],
        "epoch": 1,
        "active": True,
        "state": "active",
        "time_zone": "Europe/Berlin",
        "locale": "en-GB",
    }


@pytest.fixture
def clock() -> FixedClock:
    """Monday, 2 March 2026, 09:00 UTC: the working day has begun where the company is."""
    return FixedClock(datetime(2026, 3, 2, 9, tzinfo=UTC))


@pytest.fixture
def marketing(running_service: Callable[..., RunningService], clock: FixedClock) -> Marketing:
    """Marketing that has heard of a sales team of two, Ann and Bob."""
    found = Marketing(running_service(SERVICE, clock=clock), clock, bearer(permissions=ALL))
    team = {
        "team_id": str(TEAM),
        "name": "Sales North",
        "kind": "sales",
        "parent_id": None,
        "lead_id": None,
        "member_ids": [str(ANN), str(BOB)],
        "active": True,
    }
    found.service.deliver("crm.identity.team.changed.v1", team, subject=TEAM)
    found.hire(ANN, "Ann")
    found.hire(BOB, "Bob")
    return found
