"""The API client aggregate."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.api_clients.events import ApiClientChanged
from services.identity.database import Base
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["SECRET_PREFIX", "ApiClient"]

SECRET_PREFIX = "crmk_"  # noqa: S105 - what every secret begins with, so that scanners find leaked ones
_LIVE_SECRETS = 2
_CHANGE_RIGHTS = {"scopes", "audiences"}


class ApiClient(AggregateRoot, Base):
    """States: active <-> disabled. Of a secret only the SHA-256 is kept: it has 256 random bits, so nobody
    finds it by trying, and a slow hash would add nothing.

    A client with a `subject_id` acts as that user with their rights; only a first run outside production makes
    one. The operator's client has the scope `*`, which is every right; only the service's command line makes it.
    """

    __tablename__ = "api_clients"
    AGGREGATE = "api_client"

    client_id: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    audiences: Mapped[list[str]] = mapped_column(ARRAY(Text))
    rate_class: Mapped[str]
    subject_id: Mapped[uuid.UUID | None]
    secrets: Mapped[list[dict[str, Any]]]
    state: Mapped[str]
    epoch: Mapped[int]

    @classmethod
    def create(cls, values: Mapping[str, Any], secret: str, now: datetime) -> Self:
        """A new client that proves itself with `secret`."""
        client = cls(state="active", epoch=0, secrets=[_kept(secret, now)], **values)
        client._record()
        return client

    @property
    def kind(self) -> str:
        """What it is on the wire."""
        return "machine"

    @property
    def allowed(self) -> list[str]:
        """The verbs that the state allows."""
        return ["edit", "rotate_secret", "disable"] if self.state == "active" else ["edit", "enable"]

    def proves(self, secret: str) -> bool:
        """Whether `secret` is one of the live ones."""
        digest = _digest(secret)
        return any(hmac.compare_digest(kept["sha256"], digest) for kept in self.secrets)

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Apply `changes`; tokens given out under other rights are refused from then on."""
        changed = {name for name, value in changes.items() if getattr(self, name) != value}
        for name in changed:
            setattr(self, name, changes[name])
        if changed & _CHANGE_RIGHTS:
            self.epoch += 1
        if changed:
            self._record()

    def rotate_secret(self, secret: str, now: datetime, *, end_others: bool) -> None:
        """Add a live secret. The latest of the others goes on, unless `end_others`. Raises IllegalState."""
        self._require("rotate_secret")
        others = [] if end_others else self.secrets[: _LIVE_SECRETS - 1]
        self.secrets = [_kept(secret, now), *others]
        self.epoch += end_others
        self._record()

    def disable(self) -> None:
        """Refuse it and the tokens it has. Raises IllegalState."""
        self._require("disable")
        self.state = "disabled"
        self.epoch += 1
        self._record()

    def enable(self) -> None:
        """Let it in again. Raises IllegalState."""
        self._require("enable")
        self.state = "active"
        self._record()

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"{verb.replace('_', ' ').capitalize()} is not possible: the client is {self.state}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _record(self) -> None:
        self.record(
            ApiClientChanged(
                api_client_id=self.id,
                client_id=self.client_id,
                name=self.name,
                kind=self.kind,
                scopes=list(self.scopes),
                audiences=list(self.audiences),
                rate_class=self.rate_class,
                epoch=self.epoch,
                active=self.state == "active",
            )
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _kept(secret: str, now: datetime) -> dict[str, Any]:
    """What is kept of a secret: enough to recognise it, and its end to tell it from others."""
    return {"sha256": _digest(secret), "hint": secret[-4:], "created_at": now.isoformat()}
