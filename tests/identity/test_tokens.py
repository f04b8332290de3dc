"""Access tokens: who gets one, what is in it, and when it stops being good."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from shared.contracts.policy import Policy
from shared.kernel.clock import FixedClock
from tests.identity.conftest import EXCHANGE, SECRET, Identity

FORM = {"grant_type": "client_credentials"}


def decoded(identity: Identity, token: str) -> Any:
    """Header and claims, the signature checked against the published keys."""
    keys = KeySet.import_key_set(identity.client.get("/oauth/jwks.json").json)
    return jwt.decode(token, keys, algorithms=["ES256"])


def machine(identity: Identity, **values: Any) -> Any:
    body = {"name": "Warehouse", "client_id": "warehouse", "scopes": ["order.read", "product.read"], **values}
    return identity.done("POST", "/v1/api-clients", body)


def test_a_machine_gets_its_scopes_at_their_widest_reach(identity: Identity, clock: FixedClock) -> None:
    client = machine(identity, audiences=["sales", "erp"])
    answer = identity.client.post("/oauth/token", data=FORM, auth=("warehouse", client["client_secret"]))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert (body["token_type"], body["expires_in"], body["scope"]) == (
        "Bearer",
        600,
        "order.read product.read",
    )
    token = decoded(identity, body["access_token"])
    kid = identity.client.get("/oauth/jwks.json").json["keys"][0]["kid"]
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    now = int(clock.now().timestamp())
    claims = dict(token.claims)
    assert claims.pop("jti") != claims.pop("sid")
    assert claims == {
        "iss": "http://identity.test",
        "sub": client["id"],
        "aud": ["sales", "erp"],
        "exp": now + 600,
        "nbf": now,
        "iat": now,
        "client_id": "warehouse",
        "kind": "machine",
        "epoch": 0,
        "roles": {},
        "perms": {"order.read": "all", "product.read": "all"},
        "auth_time": now,
    }


def test_the_key_is_named_by_its_thumbprint_and_holds_nothing_private(identity: Identity) -> None:
    answer = identity.client.get("/oauth/jwks.json")
    (key,) = answer.json["keys"]
    assert key["kid"] == ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")}).thumbprint()
    assert set(key) == {"kid", "kty", "crv", "x", "y", "use", "alg"}
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_the_secret_may_travel_in_the_form(identity: Identity) -> None:
    secret = machine(identity)["client_secret"]
    form = {**FORM, "client_id": "warehouse", "client_secret": secret}
    assert identity.client.post("/oauth/token", data=form).status_code == 200


def test_the_administrators_client_acts_as_the_administrator(identity: Identity) -> None:
    claims = decoded(identity, identity.token().json["access_token"]).claims
    assert (claims["kind"], claims["sub"]) == ("staff", str(identity.admin.admin_id))
    assert (claims["perms"], claims["roles"]) == ({"*": "all"}, {"admin": 1})
    assert claims["mfa_at"] == claims["auth_time"]
    assert "act" not in claims


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        (FORM, ("warehouse", "crmk_wrong"), 401, "invalid_client"),
        (FORM, ("nobody", "crmk_wrong"), 401, "invalid_client"),
        (FORM, ("No Such Name\x00", "crmk_wrong"), 401, "invalid_client"),
        (FORM, None, 401, "invalid_client"),
        ({"grant_type": "password"}, ("local-admin", SECRET), 400, "unsupported_grant_type"),
        ({"grant_type": 'a"\\ü'}, ("local-admin", SECRET), 400, "unsupported_grant_type"),
        ({}, ("local-admin", SECRET), 400, "invalid_request"),
        ({"grant_type": ["client_credentials"] * 2}, ("local-admin", SECRET), 400, "invalid_request"),
        ({**FORM, "scope": "a\x00b"}, ("local-admin", SECRET), 400, "invalid_request"),
        ({**FORM, "scope": "order.read made.up"}, ("local-admin", SECRET), 400, "invalid_scope"),
    ],
)
def test_refusals_are_those_of_rfc_6749(
    identity: Identity, form: dict[str, Any], auth: tuple[str, str] | None, status: int, error: str
) -> None:
    machine(identity)
    answer = identity.client.post("/oauth/token", data=form, auth=auth)
    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert answer.content_type == "application/json"
    assert set(answer.json) <= {"error", "error_description"}
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_bytes_that_are_no_text_are_no_credentials(identity: Identity) -> None:
    header = {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()}
    answer = identity.client.post("/oauth/token", data=FORM, headers=header)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(identity: Identity) -> None:
    machine(identity)
    answers = [
        identity.client.post("/oauth/token", data=FORM, auth=(name, "crmk_wrong")).json
        for name in ("warehouse", "nobody")
    ]
    assert answers[0] == answers[1]


def test_scope_and_resource_narrow_a_token(identity: Identity) -> None:
    secret = machine(identity, audiences=["sales", "erp"])["client_secret"]
    form = {**FORM, "scope": "order.read", "resource": "urn:crm:erp"}
    answer = identity.client.post("/oauth/token", data=form, auth=("warehouse", secret))
    claims = decoded(identity, answer.json["access_token"]).claims
    assert (claims["aud"], claims["perms"]) == (["erp"], {"order.read": "all"})


def test_a_client_gets_no_token_for_a_service_or_a_scope_that_is_not_its_own(identity: Identity) -> None:
    auth = ("warehouse", machine(identity, audiences=["sales"])["client_secret"])
    answer = identity.client.post("/oauth/token", data={**FORM, "resource": "urn:crm:support"}, auth=auth)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
    answer = identity.client.post("/oauth/token", data={**FORM, "scope": "account.read"}, auth=auth)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


def test_a_machine_may_do_what_its_scopes_say_and_nothing_else(identity: Identity) -> None:
    secret = machine(identity, scopes=["user.read"])["client_secret"]
    token = identity.client.post("/oauth/token", data=FORM, auth=("warehouse", secret)).json["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert len(identity.get("/v1/users", headers)["items"]) == 1
    refused = identity.client.get("/v1/roles", headers=headers)
    assert (refused.status_code, refused.json["permission"]) == (403, "role.read")


def test_a_disabled_client_gets_no_token_and_its_present_ones_are_refused(identity: Identity) -> None:
    client = machine(identity, scopes=["user.read"])
    auth = ("warehouse", client["client_secret"])
    token = identity.client.post("/oauth/token", data=FORM, auth=auth).json["access_token"]
    identity.done("POST", f"/v1/api-clients/{client['id']}/disable", version=1)
    assert identity.client.post("/oauth/token", data=FORM, auth=auth).status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    assert identity.client.get("/v1/users", headers=headers).status_code == 401


def test_a_token_with_sixty_permissions_stays_under_four_kilobytes(identity: Identity) -> None:
    assert len(identity.token().json["access_token"]) < 1_000
    some = sorted(Policy.load().permissions.values(), key=lambda permission: permission.name)[:60]
    grants = {permission.name: permission.widest for permission in some}
    identity.done("POST", "/v1/roles", {"name": "much", "says": "Much", "grants": grants})
    user = identity.user("Dana", role_names=["much"])
    token = identity.token(grant_type=EXCHANGE, requested_subject=user["id"]).json["access_token"]
    assert len(decoded(identity, token).claims["perms"]) == 60
    assert len(token) < 4_000


def test_a_user_is_impersonated_with_his_own_rights_and_the_log_says_by_whom(identity: Identity) -> None:
    rep = identity.user("Dana", role_names=["sales_rep"])
    answer = identity.token(grant_type=EXCHANGE, requested_subject=rep["id"])
    assert answer.json["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    claims = decoded(identity, answer.json["access_token"]).claims
    admin_id = str(identity.admin.admin_id)
    assert (claims["sub"], claims["kind"], claims["epoch"]) == (rep["id"], "staff", 1)
    assert claims["act"] == {"sub": admin_id, "client_id": "local-admin"}
    assert claims["perms"]["opportunity.win"] == "own"
    assert "mfa_at" not in claims
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert identity.get("/v1/me", headers)["user"]["email"] == "dana@company.example"
    assert identity.send("POST", "/v1/users", {}, headers=headers).status_code == 403
    (entry,) = identity.get("/v1/audit", action="user.impersonate")["items"]
    assert (entry["actor"], entry["object"]) == (f"user:{admin_id}", f"user:{rep['id']}")
    assert entry["details"] == {"client_id": "local-admin"}


def test_nobody_is_impersonated_who_is_unknown_or_not_active(identity: Identity, some_id: str) -> None:
    invited = identity.invited("Newcomer")["id"]
    for requested in ("", "no-uuid", some_id, invited):
        answer = identity.token(grant_type=EXCHANGE, requested_subject=requested)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert identity.get("/v1/audit", action="user.impersonate")["items"] == []


def test_an_ordinary_client_impersonates_nobody(identity: Identity) -> None:
    auth = ("warehouse", machine(identity)["client_secret"])
    form = {"grant_type": EXCHANGE, "requested_subject": str(identity.admin.admin_id)}
    answer = identity.client.post("/oauth/token", data=form, auth=auth)
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")


def test_a_tokens_ten_minutes_and_a_minute_of_leeway_end(identity: Identity, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=-10, seconds=-50))
    assert identity.client.get("/v1/me", headers=identity.headers()).status_code == 200
    clock.advance(timedelta(seconds=-20))
    refused = identity.client.get("/v1/me", headers=identity.headers())
    assert (refused.status_code, refused.json["type"]) == (401, "/problems/unauthorized")


def test_a_changed_payload_is_refused(identity: Identity) -> None:
    head, body, signature = identity.token(scope="user.read").json["access_token"].split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(orjson.dumps({**claims, "perms": {"*": "all"}})).rstrip(b"=").decode()
    headers = {"Authorization": f"Bearer {head}.{forged}.{signature}"}
    assert identity.client.get("/v1/users", headers=headers).status_code == 401


def test_the_description_names_what_there_is(identity: Identity) -> None:
    described = identity.client.get("/.well-known/openid-configuration").json
    assert described["issuer"] == "http://identity.test"
    assert described["token_endpoint"] == "http://identity.test/oauth/token"
    assert described["jwks_uri"] == "http://identity.test/oauth/jwks.json"
    assert described["grant_types_supported"] == ["client_credentials", EXCHANGE]
    assert "order.read" in described["scopes_supported"]
    assert "user.edit" not in described["scopes_supported"]
