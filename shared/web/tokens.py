"""Access tokens: verified offline against the issuer's published keys (RFC 9068, RFC 7519, RFC 7517).

Only ES256 signatures of `typ: at+jwt` count. Keys come from the issuer's JWKS alone: whatever a token says
about its own key (`jku`, `x5u`, `jwk`) is ignored. A verified token is remembered until it expires, so the
signature is checked once per token and process."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from shared.access.principal import ALL_PERMISSIONS, REACHES, Principal
from shared.web.problems import Unauthorized

__all__ = [
    "LEEWAY_SECONDS",
    "STALE_SECONDS",
    "SUITE_AUDIENCE",
    "KeySet",
    "KeysUnavailable",
    "TokenVerifier",
    "file_keys",
    "url_keys",
]

_log = logging.getLogger(__name__)

LEEWAY_SECONDS = 60
STALE_SECONDS = 24 * 3600
"""How long keys that were read are good for while the issuer is away."""
SUITE_AUDIENCE = "crm"
"""The audience of tokens that every service of the suite accepts."""

_REFRESH_SECONDS = 300
_UNKNOWN_KEY_SECONDS = 60
_MAX_TOKEN_CHARACTERS = 8_192
_REMEMBERED_TOKENS = 4_096
_KINDS = ("staff", "portal", "machine")

_REGISTRY = JWSRegistry(algorithms=["ES256"])


class KeysUnavailable(Exception):
    """The issuer's keys could not be read."""


def file_keys(path: str | Path) -> Callable[[], bytes]:
    """Reads a JWKS from a file."""
    return Path(path).read_bytes


def url_keys(url: str) -> Callable[[], bytes]:
    """Reads a JWKS over HTTP; redirects are not followed, 2 s are enough."""

    def fetch() -> bytes:
        import httpx  # only processes that verify tokens of a remote issuer need an HTTP client in memory

        try:
            answer = httpx.get(url, timeout=2, follow_redirects=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise KeysUnavailable(str(error)) from error
        return answer.content

    return fetch


class KeySet:
    """The issuer's signing keys by `kid`, cached.

    They are read again after five minutes, and at once for an unknown `kid`, but never more than once a
    minute for that reason. While the issuer is away the known keys stay good for 24 hours."""

    def __init__(self, read: Callable[[], bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, ECKey] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    def find(self, kid: str) -> ECKey | None:
        """The key named `kid`; None when the issuer does not publish it."""
        now = self._monotonic()
        known = kid in self._keys
        wait = _REFRESH_SECONDS if known else _UNKNOWN_KEY_SECONDS
        # One thread reads; for a known key the others go on with what they have.
        if now - self._tried_at >= wait and self._lock.acquire(blocking=not known):
            try:
                if now - self._tried_at >= wait:
                    self._refresh(now)
            finally:
                self._lock.release()
        if now - self._read_at > STALE_SECONDS:
            self._keys = {}
        return self._keys.get(kid)

    def _refresh(self, now: float) -> None:
        try:
            document = orjson.loads(self._read())
            self._keys = {key["kid"]: _public_key(key) for key in document["keys"] if _signs(key)}
            self._read_at = now
        except (KeysUnavailable, OSError, ValueError, KeyError, TypeError, JoseError) as error:
            _log.warning("the issuer's keys could not be read, going on with the known ones: %s", error)
        finally:
            # Not before: others must wait for the keys rather than believe that there are none.
            self._tried_at = now


def _signs(key: Mapping[str, Any]) -> bool:
    return (
        key.get("kty") == "EC"
        and key.get("crv") == "P-256"
        and key.get("use", "sig") == "sig"
        and "kid" in key
    )


def _public_key(key: Mapping[str, Any]) -> ECKey:
    return ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})


class TokenVerifier:
    """Turns a bearer token into the `Principal` it stands for. `audiences`: the names this service answers
    to."""

    def __init__(
        self,
        keys: KeySet,
        issuer: str,
        audiences: frozenset[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = audiences
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, str, Principal]] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str) -> Principal:
        """The caller. Raises Unauthorized (401) for anything but a good token for this service."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._now() < known[0] and self._keys.find(known[1]) is not None:
            return known[2]
        kid, claims = self._decode(token)
        principal = self._principal(claims)
        with self._lock:
            self._known[digest] = (claims["exp"] + LEEWAY_SECONDS, kid, principal)
            while len(self._known) > _REMEMBERED_TOKENS:
                self._known.popitem(last=False)
        return principal

    def _decode(self, token: str) -> tuple[str, dict[str, Any]]:
        if len(token) > _MAX_TOKEN_CHARACTERS:
            raise Unauthorized("The access token is too long.")
        header = _header(token)
        kid = header.get("kid")
        if header.get("alg") != "ES256" or header.get("typ") not in ("at+jwt", "application/at+jwt"):
            raise Unauthorized("The access token must be an ES256 signed at+jwt.")
        key = self._keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise Unauthorized("The access token is signed with an unknown key.")
        try:
            return str(kid), jwt.decode(token, key, algorithms=["ES256"], registry=_REGISTRY).claims
        except (JoseError, ValueError):
            raise Unauthorized("The access token's signature is not valid.") from None

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        now = self._now()
        times = [claims.get(name) for name in ("exp", "nbf", "iat")]
        if claims.get("iss") != self._issuer:
            raise Unauthorized("The access token was issued by somebody else.")
        audience = claims.get("aud")
        named = (
            {audience}
            if isinstance(audience, str)
            else set(audience)
            if isinstance(audience, list)
            else set()
        )
        if not named & self._audiences:
            raise Unauthorized("The access token is for another service.")
        if not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in times):
            raise Unauthorized("The access token must say exp, nbf and iat.")
        expires, not_before, issued = (float(moment or 0) for moment in times)
        if now >= expires + LEEWAY_SECONDS:
            raise Unauthorized("The access token has expired.")
        if now < max(not_before, issued) - LEEWAY_SECONDS:
            raise Unauthorized("The access token is not valid yet.")
        try:
            return _principal(claims)
        except (KeyError, TypeError, ValueError):
            raise Unauthorized("The access token's claims are not those of a known kind of caller.") from None


def _header(token: str) -> dict[str, Any]:
    try:
        head = token.split(".", 1)[0]
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        raise Unauthorized("The access token is not a JWT.") from None
    if not isinstance(header, dict):
        raise Unauthorized("The access token is not a JWT.")
    return header


def _principal(claims: Mapping[str, Any]) -> Principal:
    """The caller that `claims` describe. Raises KeyError, TypeError or ValueError when they are malformed."""
    kind = claims["kind"]
    if kind not in _KINDS:
        raise ValueError(kind)
    permissions = claims["perms"]
    if not isinstance(permissions, dict) or not set(permissions.values()) <= set(REACHES):
        raise ValueError("perms")
    if permissions.get(ALL_PERMISSIONS, "all") != "all":
        raise ValueError(ALL_PERMISSIONS)
    if kind != "machine":
        uuid.UUID(claims["sub"])
    portal = kind == "portal"
    sight = claims["sight"] if portal else "own"
    if sight not in ("own", "account"):
        raise ValueError("sight")
    roles = claims.get("roles", {})
    if not isinstance(roles, dict) or not all(type(version) is int for version in roles.values()):
        raise ValueError("roles")
    sid = claims.get("sid")
    return Principal(
        subject=str(claims["sub"]),
        kind=kind,
        client_id=str(claims["client_id"]),
        permissions=permissions,
        account_id=uuid.UUID(claims["account_id"]) if portal else None,
        contact_id=uuid.UUID(claims["contact_id"]) if portal else None,
        sight="account" if sight == "account" else "own",
        epoch=int(claims.get("epoch", 0)),
        roles=roles,
        sid=None if sid is None else uuid.UUID(str(sid)),
        mfa_at=int(claims["mfa_at"]) if claims.get("mfa_at") is not None else None,
    )
