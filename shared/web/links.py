"""Signed single-purpose links: what a stranger's browser may do without logging in, and until when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from shared.kernel.errors import NotFound
from shared.web.context import application
from shared.web.problems import Refusal

__all__ = ["LinkExpired", "LinkNotValid", "LinkSigner", "sign", "verify"]

_PURPOSE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class LinkNotValid(NotFound):
    """The link is unknown or no longer good."""

    problem = "link-not-valid"
    title = "This link is not valid, or no longer"


class LinkExpired(Refusal):
    """The link was good once. Ask for a new one."""

    status = 410
    problem = "link-expired"
    title = "This link has expired"


class LinkSigner:
    """Signs and checks links. A link made for one purpose is no good for another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, purpose: str, payload: Mapping[str, Any], expires_at: datetime) -> str:
        """A token for a URL. `payload`: small and JSON-able, readable by whoever holds the link, so ids
        only."""
        return str(self._serializer(purpose).dumps([int(expires_at.timestamp()), dict(payload)]))

    def verify(
        self, purpose: str, token: str, now: datetime, *, tell_expired: bool = False
    ) -> dict[str, Any]:
        """The payload. Raises LinkNotValid (404), the same for forged, foreign and expired tokens; with
        `tell_expired` an expired one is LinkExpired (410)."""
        try:
            expires_at, payload = self._serializer(purpose).loads(token)
        except BadSignature:
            raise LinkNotValid("Ask for a new link.") from None
        if now.timestamp() < expires_at:
            return dict(payload)
        if tell_expired:
            raise LinkExpired("Ask for a new link.")
        raise LinkNotValid("Ask for a new link.")

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        if not _PURPOSE.fullmatch(purpose):
            raise ValueError(f"{purpose!r} is not the name of a purpose")
        return URLSafeSerializer(self._secret, salt=f"link:{purpose}")


def sign(purpose: str, payload: Mapping[str, Any], expires_at: datetime) -> str:
    """A link token of the running application, see `LinkSigner.sign`."""
    return application().links.sign(purpose, payload, expires_at)


def verify(purpose: str, token: str, *, tell_expired: bool = False) -> dict[str, Any]:
    """The payload of a link token of the running application, see `LinkSigner.verify`."""
    return application().links.verify(purpose, token, application().clock.now(), tell_expired=tell_expired)
