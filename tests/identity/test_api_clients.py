"""API clients and their secrets."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from shared.testing.tokens import bearer, jwks_file
from tests.identity.conftest import SECRET, Identity
from tests.identity.test_users import problem


def client(identity: Identity, **values: Any) -> Any:
    return identity.done("POST", "/v1/api-clients", {"name": "Link", "scopes": ["order.read"], **values})


def works(identity: Identity, name: str, secret: str) -> bool:
    form = {"grant_type": "client_credentials"}
    return identity.client.post("/oauth/token", data=form, auth=(name, secret)).status_code == 200


def test_a_secret_is_shown_once_and_only_its_hash_is_kept(identity: Identity) -> None:
    made = client(identity, client_id="warehouse")
    secret = made["client_secret"]
    assert secret.startswith("crmk_")
    assert len(secret) == 48
    read = identity.get(f"/v1/api-clients/{made['id']}")
    assert "client_secret" not in read
    assert [kept["hint"] for kept in read["secrets"]] == [secret[-4:]]
    assert set(read["secrets"][0]) == {"hint", "created_at"}
    with identity.service.runtime.database.engine.connect() as connection:
        query = text("SELECT secrets FROM api_clients WHERE client_id = 'warehouse'")
        (stored,) = connection.execute(query).scalar_one()
    assert stored["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(stored)


def test_the_fact_about_it_holds_everything_but_the_secret(identity: Identity) -> None:
    made = client(identity, client_id="warehouse", audiences=["sales"])
    (fact,) = identity.facts("api_client.changed", made["id"])
    assert fact.data == {
        "api_client_id": made["id"],
        "client_id": "warehouse",
        "name": "Link",
        "kind": "machine",
        "scopes": ["order.read"],
        "audiences": ["sales"],
        "rate_class": "standard",
        "epoch": 0,
        "active": True,
    }


def test_two_secrets_live_and_a_third_ends_the_oldest(identity: Identity) -> None:
    made = client(identity, client_id="warehouse")
    secrets = [made["client_secret"]]
    path = f"/v1/api-clients/{made['id']}/rotate-secret"
    secrets.append(identity.done("POST", path, version=1)["client_secret"])
    assert [works(identity, "warehouse", secret) for secret in secrets] == [True, True]
    secrets.append(identity.done("POST", path, version=2)["client_secret"])
    assert [works(identity, "warehouse", secret) for secret in secrets] == [False, True, True]


def test_a_leaked_secret_is_ended_at_once_with_the_tokens_it_got(identity: Identity) -> None:
    made = client(identity, client_id="warehouse")
    path = f"/v1/api-clients/{made['id']}/rotate-secret"
    fresh = identity.done("POST", path, {"end_others": True}, version=1)["client_secret"]
    assert not works(identity, "warehouse", made["client_secret"])
    assert works(identity, "warehouse", fresh)
    assert identity.facts("api_client.changed", made["id"])[-1].data["epoch"] == 1


def test_other_rights_move_the_epoch_and_another_name_does_not(identity: Identity) -> None:
    path = f"/v1/api-clients/{client(identity)['id']}"
    identity.done("PATCH", path, {"name": "Other"}, version=1)
    identity.done("PATCH", path, {"scopes": ["order.read", "product.read"]}, version=2)
    identity.done("PATCH", path, {"audiences": ["sales"]}, version=3)
    assert [fact.data["epoch"] for fact in identity.facts("api_client.changed")[1:]] == [0, 0, 1, 2]


def test_disabled_and_enabled_again(identity: Identity) -> None:
    made = client(identity, client_id="warehouse")
    path = f"/v1/api-clients/{made['id']}"
    assert identity.done("POST", f"{path}/disable", version=1)["allowed"] == ["edit", "enable"]
    assert not works(identity, "warehouse", made["client_secret"])
    assert problem(identity.send("POST", f"{path}/disable", version=2)) == (409, "illegal-state")
    assert problem(identity.send("POST", f"{path}/rotate-secret", version=2)) == (409, "illegal-state")
    identity.done("POST", f"{path}/enable", version=2)
    assert works(identity, "warehouse", made["client_secret"])


def test_scopes_are_permissions_for_machines(identity: Identity) -> None:
    for scope in ("user.edit", "made.up"):
        body = {"name": "Link", "scopes": ["order.read", scope]}
        answer = identity.send("POST", "/v1/api-clients", body)
        assert problem(answer) == (422, "unknown-scope")
        assert answer.json["errors"][0]["pointer"] == "/scopes"


def test_nobody_gives_a_machine_more_than_he_holds(
    make_identity: Callable[..., Identity], tmp_path: Path
) -> None:
    identity = make_identity(jwks_file=jwks_file(tmp_path))
    own = {"api_client.edit": "all", "order.read": "team", "product.read": "all"}
    headers = bearer(permissions=own, mfa_at=int(time.time()))
    body = {"name": "Link", "client_id": "link", "scopes": ["order.read", "product.read"]}
    answer = identity.send("POST", "/v1/api-clients", body, headers=headers)
    assert problem(answer) == (403, "grant-exceeds-own")
    assert answer.json["permissions"] == ["order.read"]
    made = identity.done("POST", "/v1/api-clients", {**body, "scopes": ["product.read"]}, headers=headers)
    more = {"scopes": ["product.read", "order.read"]}
    path = f"/v1/api-clients/{made['id']}"
    assert problem(identity.send("PATCH", path, more, version=1, headers=headers)) == (
        403,
        "grant-exceeds-own",
    )
    assert len(identity.facts("api_client.changed", made["id"])) == 1


def test_nobody_gets_the_secret_of_a_client_that_may_more(
    make_identity: Callable[..., Identity], tmp_path: Path
) -> None:
    identity = make_identity(jwks_file=jwks_file(tmp_path))
    own = {"api_client.edit": "all", "api_client.read": "all"}
    headers = bearer(permissions=own, mfa_at=int(time.time()))
    (bound,) = identity.get("/v1/api-clients", headers)["items"]
    path = f"/v1/api-clients/{bound['id']}/rotate-secret"
    refused = identity.send("POST", path, {"end_others": False}, version=1, headers=headers)
    assert problem(refused) == (403, "grant-exceeds-own")
    assert refused.json["permissions"] == ["*"]
    assert works(identity, "local-admin", SECRET)


def test_names_are_unique_and_made_up_when_left_out(identity: Identity) -> None:
    client(identity, client_id="warehouse")
    body = {"name": "Link", "scopes": ["order.read"], "client_id": "warehouse"}
    assert problem(identity.send("POST", "/v1/api-clients", body)) == (409, "client-id-taken")
    assert client(identity)["client_id"].startswith("client-")
    found = identity.get("/v1/api-clients", client_id="warehouse")["items"]
    assert [item["client_id"] for item in found] == ["warehouse"]
