"""A right that identity takes back ends in every service, by what identity says on the bus."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from services.identity.processes.first_run import first_run
from services.identity.wiring import SERVICE as IDENTITY
from shared.kernel.ids import new_id
from shared.testing.services import RunningService
from tests.identity.conftest import SECRET, Identity

OTHERS = ("sales", "marketing", "support", "fieldservice", "analytics", "erp")


@pytest.fixture
def identity(running_service: Callable[..., RunningService]) -> Identity:
    service = running_service(IDENTITY, jwks_file=None)
    return Identity(service, first_run(service.runtime, client_secret=SECRET))


@pytest.fixture
def others(
    identity: Identity, running_service: Callable[..., RunningService], tmp_path: Path
) -> dict[str, RunningService]:
    """The other services; they have heard what identity said so far."""
    keys = tmp_path / "identity.json"
    keys.write_bytes(identity.client.get("/oauth/jwks.json").data)
    wired = {name: import_module(f"services.{name}.wiring").SERVICE for name in OTHERS}
    return {name: running_service(service, jwks_file=keys) for name, service in wired.items()}


def tell(identity: Identity, others: dict[str, RunningService]) -> None:
    """Let every service hear all that identity has said; what it has heard before is the same fact again."""
    for fact in identity.service.facts():
        for service in others.values():
            if fact.type in service.runtime.service.consumers.types:
                told = {"subject": fact.subject, "key": fact.key, "version": fact.version}
                event_id = fact.headers["ce_id"]
                service.deliver(fact.type, fact.data, event_id=event_id, work=False, **told)
    for service in others.values():
        service.work()


def refusing(others: dict[str, RunningService], headers: dict[str, str]) -> dict[str, str]:
    """The services that refuse a token, with the reason; each is asked as by a process that starts now."""
    path = f"/v1/bus/facts?correlation_id={new_id()}"
    answers = {
        name: RunningService(service.runtime).client.get(path, headers=headers)
        for name, service in others.items()
    }
    assert {answer.status_code for answer in answers.values()} <= {200, 401}
    return {name: answer.json["detail"] for name, answer in answers.items() if answer.status_code == 401}


def all_say(detail: str) -> dict[str, str]:
    return dict.fromkeys(OTHERS, detail)


NOT_ACTIVE = "The account that the access token stands for is not active."
CHANGED = "The rights behind the access token have changed. Ask for a new one."


def machine(identity: Identity) -> tuple[Any, dict[str, str]]:
    """A new machine client, and request headers with its token."""
    made = identity.done("POST", "/v1/api-clients", {"name": "Link", "scopes": ["bus.read", "order.read"]})
    form = {"grant_type": "client_credentials"}
    given = identity.client.post("/oauth/token", data=form, auth=(made["client_id"], made["client_secret"]))
    return made, {"Authorization": f"Bearer {given.json['access_token']}"}


def test_the_token_of_a_disabled_machine_ends_everywhere(
    identity: Identity, others: dict[str, RunningService]
) -> None:
    made, headers = machine(identity)
    _, bystander = machine(identity)
    tell(identity, others)
    assert refusing(others, headers) == {}
    identity.done("POST", f"/v1/api-clients/{made['id']}/disable", version=1)
    tell(identity, others)
    assert refusing(others, headers) == all_say(NOT_ACTIVE)
    assert refusing(others, bystander) == {}


def test_a_scope_taken_from_a_machine_ends_its_token_everywhere(
    identity: Identity, others: dict[str, RunningService]
) -> None:
    made, headers = machine(identity)
    identity.done("PATCH", f"/v1/api-clients/{made['id']}", {"scopes": ["order.read"]}, version=1)
    tell(identity, others)
    assert refusing(others, headers) == all_say(CHANGED)


def test_a_permission_taken_from_a_role_ends_the_tokens_that_name_it(
    identity: Identity, others: dict[str, RunningService]
) -> None:
    body = {"name": "operator", "says": "Operates", "grants": {"bus.read": "all", "case.read": "own"}}
    role = identity.done("POST", "/v1/roles", body)
    user = identity.user("Dana", role_names=["operator"])
    headers, administrator = identity.headers(user["id"]), identity.headers()
    tell(identity, others)
    assert refusing(others, headers) == {}
    identity.done("PATCH", f"/v1/roles/{role['id']}", {"grants": {"bus.read": "all"}}, version=1)
    tell(identity, others)
    assert refusing(others, headers) == all_say(CHANGED)
    assert refusing(others, identity.headers(user["id"])) == {}
    assert refusing(others, administrator) == {}


def test_a_suspended_person_is_refused_everywhere(
    identity: Identity, others: dict[str, RunningService]
) -> None:
    user = identity.user("Dana", role_names=["analyst"])
    headers = identity.headers(user["id"])
    tell(identity, others)
    assert refusing(others, headers) == {}
    identity.done("POST", f"/v1/users/{user['id']}/suspend", version=user["version"])
    tell(identity, others)
    assert refusing(others, headers) == all_say(NOT_ACTIVE)
