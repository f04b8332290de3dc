"""A production installation gets its first administrator, and an API client to begin with, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, text

from services.identity.command_line import COMMANDS
from services.identity.processes.first_run import first_run_of
from services.identity.wiring import SERVICE
from shared import cli
from shared.db.plumbing import AUDIT_ENTRIES
from shared.testing.services import RunningService

FORM = {"grant_type": "client_credentials"}


@dataclass(frozen=True)
class Installation:
    """An identity in production after `migrate`, and its command line."""

    service: RunningService
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> dict[str, str]:
        """The variables that a command prints."""
        cli.main(SERVICE, arguments, commands=COMMANDS)
        return dict(line.split("=", 1) for line in self.capture.readouterr().out.splitlines())

    def refuse(self, *arguments: str) -> str:
        """The complaint of a command that must fail and show nothing."""
        with pytest.raises(SystemExit) as ended:
            cli.main(SERVICE, arguments, commands=COMMANDS)
        assert ended.value.code == 2
        said = self.capture.readouterr()
        assert said.out == ""
        return said.err

    def token(self, secret: str) -> Any:
        return self.service.client.post("/oauth/token", data=FORM, auth=("operator", secret))

    def send(self, method: str, path: str, secret: str, body: Any = None, **headers: str) -> Any:
        """What a request of the operator is answered."""
        bearer = {"Authorization": f"Bearer {self.token(secret).json['access_token']}", **headers}
        return self.service.client.open(path, method=method, json=body, headers=bearer)


@pytest.fixture
def installation(
    running_service: Callable[..., RunningService],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Installation:
    service = running_service(SERVICE, environment="production", jwks_file=None)
    first_run_of(service.runtime)
    settings = service.runtime.settings
    for name in ("environment", "database_url", "bus", "bus_database_url", "secret", "identity_url"):
        monkeypatch.setenv(f"CRM_{name.upper()}", str(getattr(settings, name)))
    return Installation(service, capsys)


APPOINT = ("first-administrator", "--email", "Ada@Company.example", "--name", "Ada")


def test_it_makes_an_administrator_and_a_client_with_every_right(installation: Installation) -> None:
    shown = installation.run(*APPOINT)
    assert shown["CRM_CLIENT_ID"] == "operator"
    secret = shown["CRM_CLIENT_SECRET"]
    (admin,) = installation.send("GET", "/v1/users", secret).json["items"]
    assert (admin["email"], admin["display_name"], admin["state"], admin["role_names"]) == (
        "ada@company.example",
        "Ada",
        "active",
        ["admin"],
    )
    assert (admin["time_zone"], admin["locale"]) == ("UTC", "en-GB")
    # The operator may also do what asks for a second factor, and hand on what machines otherwise cannot hold.
    body = {"email": "bob@company.example", "display_name": "Bob", "role_names": ["admin"]}
    assert installation.send("POST", "/v1/users", secret, body).status_code == 201
    client = {"name": "Shop", "client_id": "shop", "scopes": ["order.read"]}
    assert installation.send("POST", "/v1/api-clients", secret, client).status_code == 201
    edited = installation.send(
        "PATCH", f"/v1/users/{admin['id']}", secret, {"display_name": "Ada L."}, **{"If-Match": '"1"'}
    )
    assert edited.json["display_name"] == "Ada L."


def test_it_is_told_and_audited_like_any_other_creation(installation: Installation) -> None:
    secret = installation.run(*APPOINT)["CRM_CLIENT_SECRET"]
    (user,) = installation.service.facts("crm.identity.user.created.v1")
    (client,) = installation.service.facts("crm.identity.api_client.changed.v1")
    assert user.data["role_names"] == ["admin"]
    assert (client.data["client_id"], client.data["scopes"], client.data["kind"]) == (
        "operator",
        ["*"],
        "machine",
    )
    assert secret not in str([fact.data for fact in installation.service.facts()])
    with installation.service.runtime.database.session() as session:
        a = AUDIT_ENTRIES.c
        entries = session.execute(select(a.actor, a.object).where(a.action == "first_administrator")).all()
        kept = session.execute(text("SELECT secrets::text FROM api_clients")).scalar_one()
    objects = {f"user:{user.subject}", f"api_client:{client.subject}"}
    assert {tuple(entry) for entry in entries} == {("system:command-line", name) for name in objects}
    assert secret not in kept


def test_there_is_one_first_administrator(installation: Installation) -> None:
    secret = installation.run(*APPOINT)["CRM_CLIENT_SECRET"]
    before = len(installation.service.facts())
    complaint = installation.refuse("first-administrator", "--email", "eve@company.example")
    assert "ada@company.example administers this installation" in complaint
    assert "reset-operator" in complaint
    assert len(installation.service.facts()) == before
    assert installation.token(secret).status_code == 200


def test_before_it_nobody_administers_and_migrating_again_makes_nobody(installation: Installation) -> None:
    first_run_of(installation.service.runtime)
    assert installation.service.facts("crm.identity.user.created.v1") == []
    assert "first-administrator" in installation.refuse("reset-operator")
    assert installation.service.facts("crm.identity.api_client.changed.v1") == []


def test_a_wrong_address_is_refused_before_anything_is_made(installation: Installation) -> None:
    assert "Not an e-mail address." in installation.refuse("first-administrator", "--email", "ada")
    assert installation.service.facts("crm.identity.user.created.v1") == []


def test_a_lost_secret_is_replaced_and_the_one_before_is_void(installation: Installation) -> None:
    lost = installation.run(*APPOINT)["CRM_CLIENT_SECRET"]
    (client,) = installation.send("GET", "/v1/api-clients", lost).json["items"]
    path = f"/v1/api-clients/{client['id']}"
    narrowed = installation.send("PATCH", path, lost, {"scopes": ["order.read"]}, **{"If-Match": '"1"'})
    assert narrowed.json["scopes"] == ["order.read"]
    assert installation.send("GET", "/v1/roles", lost).status_code == 403
    found = installation.run("reset-operator")["CRM_CLIENT_SECRET"]
    assert installation.token(lost).status_code == 401
    assert installation.send("GET", "/v1/roles", found).status_code == 200


def test_who_holds_less_cannot_get_the_secret_of_the_operator(installation: Installation) -> None:
    secret = installation.run(*APPOINT)["CRM_CLIENT_SECRET"]
    token = installation.service.client.post(
        "/oauth/token", data={**FORM, "scope": "api_client.edit api_client.read"}, auth=("operator", secret)
    ).json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    (client,) = installation.service.client.get("/v1/api-clients", headers=bearer).json["items"]
    refused = installation.service.client.post(
        f"/v1/api-clients/{client['id']}/rotate-secret", json={}, headers={**bearer, "If-Match": '"1"'}
    )
    assert (refused.status_code, refused.json["permissions"]) == (403, ["*"])
    asked = {"name": "Sly", "scopes": ["*"]}
    made = installation.service.client.post("/v1/api-clients", json=asked, headers=bearer)
    assert made.status_code == 422
