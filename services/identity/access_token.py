"""Access tokens: JWTs of `typ: at+jwt` (RFC 9068) signed with ES256, good for ten minutes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from joserfc import jwt
from joserfc.jwk import ECKey

from shared.access.principal import Reach
from shared.kernel.ids import new_id

__all__ = ["LIFETIME_SECONDS", "Bearer", "claims", "sign"]

LIFETIME_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token stands for. `roles` maps names to versions; `confirmed`: a second factor was given now;
    `actor`: who got the token in the subject's name (RFC 8693, 4.1)."""

    subject: uuid.UUID
    kind: Literal["staff", "machine"]
    client_id: str
    epoch: int
    permissions: Mapping[str, Reach]
    roles: Mapping[str, int] = field(default_factory=dict)
    confirmed: bool = False
    actor: uuid.UUID | None = None


def claims(bearer: Bearer, issuer: str, audiences: Sequence[str], now: datetime) -> dict[str, Any]:
    """The claims of a token for `bearer`; each token is a session of its own."""
    second = int(now.timestamp())
    found: dict[str, Any] = {
        "iss": issuer,
        "sub": str(bearer.subject),
        "aud": list(audiences),
        "exp": second + LIFETIME_SECONDS,
        "nbf": second,
        "iat": second,
        "jti": str(new_id()),
        "client_id": bearer.client_id,
        "sid": str(new_id()),
        "kind": bearer.kind,
        "epoch": bearer.epoch,
        "roles": dict(bearer.roles),
        "perms": dict(bearer.permissions),
        "auth_time": second,
    }
    if bearer.confirmed:
        found["mfa_at"] = second
    if bearer.actor is not None:
        found["act"] = {"sub": str(bearer.actor), "client_id": bearer.client_id}
    return found


def sign(body: Mapping[str, Any], key: ECKey) -> str:
    """`body` as a compact JWS signed with `key`, whose `kid` is named in the header."""
    head = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    return jwt.encode(head, dict(body), key, algorithms=["ES256"])
