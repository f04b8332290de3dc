"""Identity after its first run, and what tests ask of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.identity.processes.first_run import FirstRun, first_run
from services.identity.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService, SentFact

SECRET = "crmk_a-secret-of-the-local-administrator-for-tests"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass(frozen=True)
class Identity:
    """A running identity. Requests are the administrator's unless they name headers."""

    service: RunningService
    admin: FirstRun

    @property
    def client(self) -> FlaskClient:
        return self.service.client

    def token(self, **form: str) -> TestResponse:
        """A request of the administrator's client at the token endpoint."""
        return self.client.post(
            "/oauth/token", data={"grant_type": "client_credentials", **form}, auth=("local-admin", SECRET)
        )

    def headers(self, user_id: str | None = None, **form: str) -> dict[str, str]:
        """Request headers of the administrator, or of another user."""
        if user_id is not None:
            form |= {"grant_type": EXCHANGE, "requested_subject": user_id}
        answer = self.token(**form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """What GET answers with 200."""
        answer = self.client.get(path, query_string=query, headers=headers or self.headers())
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Send a change; `version` goes into If-Match."""
        sent = dict(headers or self.headers())
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return self.client.open(path, method=method, json=body, headers=sent)

    def done(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send a change that must succeed; its answer."""
        answer = self.send(method, path, body, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def invited(self, name: str, **values: Any) -> Any:
        """A new user, invited."""
        body = {"email": f"{name.lower()}@company.example", "display_name": name, **values}
        return self.done("POST", "/v1/users", body)

    def user(self, name: str, **values: Any) -> Any:
        """A new user, active."""
        invited = self.invited(name, **values)
        accepted = self.client.post(
            "/public/v1/invitations/accept", json={"token": invited["invitation_token"]}
        )
        assert accepted.status_code == 200, accepted.text
        return self.get(f"/v1/users/{invited['id']}")

    def facts(self, kind: str, subject: str | None = None) -> list[SentFact]:
        """Facts of `crm.identity.<kind>.v1`, about one record if given."""
        sent = self.service.facts(f"crm.identity.{kind}.v1")
        return [fact for fact in sent if subject in (None, fact.subject)]


@pytest.fixture
def clock() -> FixedClock:
    """Stands at this moment: tokens are checked against the machine's clock."""
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def make_identity(
    running_service: Callable[..., RunningService], clock: FixedClock
) -> Callable[..., Identity]:
    """`make_identity(rate_limit=...)` is an identity after its first run, with other settings."""

    def make(**settings: Any) -> Identity:
        service = running_service(SERVICE, clock=clock, **{"jwks_file": None, **settings})
        return Identity(service, first_run(service.runtime, client_secret=SECRET))

    return make


@pytest.fixture
def identity(make_identity: Callable[..., Identity]) -> Identity:
    """An identity after its first run."""
    return make_identity()


@pytest.fixture
def some_id() -> str:
    """An id that nothing has."""
    return str(uuid.uuid4())
