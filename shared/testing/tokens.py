"""Access tokens for tests: a key pair made once per process, and the JWKS that services verify with."""

from __future__ import annotations

import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

__all__ = ["ISSUER", "bearer", "customer_bearer", "jwks_file", "mint", "signing_key"]

ISSUER = "http://identity.test"
_SUITE = "crm"


@cache
def signing_key() -> ECKey:
    """The issuer's key in tests, named by its RFC 7638 thumbprint."""
    key = ECKey.generate_key("P-256", private=True)
    key.ensure_kid()
    return key


def jwks_file(folder: Path) -> Path:
    """A JWKS file with the public half of the key, in `folder`."""
    path = folder / "jwks.json"
    path.write_bytes(
        orjson.dumps({"keys": [signing_key().as_dict(private=False) | {"use": "sig", "alg": "ES256"}]})
    )
    return path


def mint(
    subject: str | uuid.UUID | None = None,
    permissions: dict[str, str] | None = None,
    kind: str = "staff",
    *,
    key: ECKey | None = None,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A signed access token, good for ten minutes. `claims` replace or add to the usual ones; None removes
    one."""
    now = int(time.time())
    signer = key or signing_key()
    body: dict[str, Any] = {
        "iss": ISSUER,
        "sub": str(subject or uuid.uuid4()),
        "aud": [_SUITE],
        "exp": now + 600,
        "nbf": now,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "client_id": "tests",
        "sid": str(uuid.uuid4()),
        "kind": kind,
        "epoch": 1,
        "roles": {},
        "perms": permissions or {},
        **claims,
    }
    body = {name: value for name, value in body.items() if value is not None}
    head = {"alg": "ES256", "typ": "at+jwt", "kid": signer.kid} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, body, signer, algorithms=["ES256"], default_type=None)


def bearer(*args: Any, **options: Any) -> dict[str, str]:
    """Request headers with a token made by `mint` from the same arguments."""
    return {"Authorization": f"Bearer {mint(*args, **options)}"}


def customer_bearer(account_id: str | uuid.UUID, *permissions: str, **claims: Any) -> dict[str, str]:
    """Request headers of a customer with sight of the whole account, unless `claims` say otherwise."""
    portal = {"account_id": str(account_id), "contact_id": str(uuid.uuid4()), "sight": "account", **claims}
    return bearer(None, dict.fromkeys(permissions, "own"), "portal", **portal)
