"""The first run of an installation, and every run after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from services.identity.processes.first_run import BoundClientInProduction, first_run, first_run_of
from services.identity.signing_keys.errors import KeyUnreadable
from services.identity.wiring import SERVICE
from shared.contracts.policy import ROLES, Policy
from shared.testing.services import RunningService
from tests.identity.conftest import SECRET, Identity


def test_it_makes_an_administrator_the_roles_a_key_and_the_company(identity: Identity) -> None:
    (admin,) = identity.get("/v1/users")["items"]
    assert (admin["email"], admin["state"], admin["role_names"]) == ("admin@localhost", "active", ["admin"])
    roles = identity.get("/v1/roles", limit=50)["items"]
    assert {role["name"] for role in roles} == set(ROLES)
    assert all(role["built_in"] and role["role_version"] == 1 for role in roles)
    agent = next(role for role in roles if role["name"] == "agent")
    assert agent["grants"] == Policy.load().roles["agent"]
    company = identity.get("/v1/organisation")
    assert (company["base_currency"], company["company_zone"]) == ("EUR", "UTC")
    assert len(identity.client.get("/oauth/jwks.json").json["keys"]) == 1
    assert identity.admin.is_new


def test_it_says_what_it_made(identity: Identity) -> None:
    (created,) = identity.facts("user.created")
    assert created.subject == str(identity.admin.admin_id)
    assert created.headers["ce_actorid"] == "system:first-run"
    assert len(identity.facts("role.changed")) == len(ROLES)
    assert len(identity.facts("organisation.changed")) == 1
    (client,) = identity.facts("api_client.changed")
    assert client.data["client_id"] == "local-admin"
    assert SECRET not in str([fact.data for fact in identity.service.facts()])


def test_a_second_run_changes_nothing(identity: Identity) -> None:
    before = len(identity.service.facts())
    again = first_run(identity.service.runtime, client_secret=SECRET)
    assert (again.admin_id, again.is_new) == (identity.admin.admin_id, False)
    assert len(identity.service.facts()) == before


def test_another_secret_takes_the_place_of_the_first(identity: Identity) -> None:
    other = f"{SECRET}-2"
    first_run(identity.service.runtime, client_secret=other)
    assert identity.token().status_code == 401
    form = {"grant_type": "client_credentials"}
    assert identity.client.post("/oauth/token", data=form, auth=("local-admin", other)).status_code == 200


def test_built_in_roles_follow_the_policy_with_a_new_version(identity: Identity) -> None:
    with identity.service.runtime.database.engine.begin() as connection:
        connection.execute(text("UPDATE roles SET grants = '{}' WHERE name = 'agent'"))
    first_run(identity.service.runtime)
    agent = identity.facts("role.changed")[-1].data
    assert (agent["name"], agent["role_version"]) == ("agent", 2)
    assert agent["grants"] == Policy.load().roles["agent"]


def test_production_has_no_client_that_acts_as_a_user(
    running_service: Callable[..., RunningService],
) -> None:
    service = running_service(SERVICE, environment="production", admin_client_secret=SECRET)
    with pytest.raises(BoundClientInProduction):
        first_run_of(service.runtime)
    assert service.facts() == []


def test_a_client_from_before_production_gets_no_token_there(identity: Identity) -> None:
    runtime = identity.service.runtime
    settings = replace(runtime.settings, environment="production")
    production = Identity(RunningService(replace(runtime, settings=settings)), identity.admin)
    answer = production.token()
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")


def test_another_secret_of_the_service_is_noticed_at_once(identity: Identity) -> None:
    runtime = identity.service.runtime
    settings = replace(runtime.settings, secret="another secret altogether")
    with pytest.raises(KeyUnreadable):
        first_run(replace(runtime, settings=settings))


def test_before_it_there_are_no_tokens_but_an_empty_key_set(
    running_service: Callable[..., RunningService],
) -> None:
    client = running_service(SERVICE, jwks_file=None).client
    assert client.get("/oauth/jwks.json").json == {"keys": []}
    form: dict[str, Any] = {"grant_type": "client_credentials"}
    answer = client.post("/oauth/token", data=form, auth=("local-admin", SECRET))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
