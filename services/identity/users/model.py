"""The user aggregate."""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.database import Base
from services.identity.grants import ADMIN
from services.identity.users.errors import InvitationSpent
from services.identity.users.events import UserChanged, UserCreated, UserDeactivated
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["INVITATION_LASTS", "User", "invitation_digest", "normal_email"]

INVITATION_LASTS = timedelta(hours=72)
_ALLOWED = {
    "invited": ["edit", "resend_invitation", "deactivate"],
    "active": ["edit", "suspend", "deactivate"],
    "suspended": ["edit", "resume", "deactivate"],
    "deactivated": ["edit", "reactivate"],
}
_CHANGE_RIGHTS = {"manager_id", "team_ids", "role_names"}


def normal_email(email: str) -> str:
    """The form in which addresses are compared and kept: NFKC, case-folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


def invitation_digest(token: str) -> bytes:
    """What is kept of an invitation's token."""
    return hashlib.sha256(token.encode()).digest()


class User(AggregateRoot, Base):
    """States: invited -> active <-> suspended; all of them -> deactivated -> invited.

    `epoch` moves with the state, the manager, teams and roles; tokens of an earlier epoch are refused.
    """

    __tablename__ = "users"
    AGGREGATE = "user"

    email: Mapped[str]
    display_name: Mapped[str]
    locale: Mapped[str]
    time_zone: Mapped[str]
    phone_extension: Mapped[str | None]
    manager_id: Mapped[uuid.UUID | None]
    team_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid))
    role_names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str]
    epoch: Mapped[int]
    invitation_digest: Mapped[bytes | None]
    invitation_expires_at: Mapped[datetime | None]

    @classmethod
    def invite(cls, values: Mapping[str, Any], token: str, now: datetime) -> Self:
        """A new user who may accept with `token`. `values`: fields by name, the e-mail in its normal form."""
        user = cls(state="invited", epoch=0, **values)
        user._invite(token, now)
        user.record(UserCreated(**user._state()))
        return user

    @classmethod
    def install(cls, values: Mapping[str, Any]) -> Self:
        """The first user of an installation: active without an invitation."""
        user = cls(state="active", epoch=0, **values)
        user.record(UserCreated(**user._state()))
        return user

    @property
    def allowed(self) -> list[str]:
        """The verbs that the state allows."""
        return _ALLOWED[self.state]

    @property
    def has_left(self) -> bool:
        """Whether the user is no longer with the company."""
        return self.state == "deactivated"

    @property
    def is_active_admin(self) -> bool:
        """Whether the user can administer now."""
        return self.state == "active" and ADMIN in self.role_names

    def accept(self, now: datetime) -> None:
        """Take up the invitation. Raises InvitationSpent."""
        if self.invitation_expires_at is None or now > self.invitation_expires_at:
            raise InvitationSpent("Ask an administrator to send the invitation again.")
        self.invitation_digest = self.invitation_expires_at = None
        self._enter("active")

    def resend_invitation(self, token: str, now: datetime) -> None:
        """Let `token` take the place of the earlier one. Raises IllegalState."""
        self._require("resend_invitation")
        self._invite(token, now)

    def suspend(self) -> None:
        """Refuse the user for a while. Raises IllegalState."""
        self._require("suspend")
        self._enter("suspended")

    def resume(self) -> None:
        """End a suspension. Raises IllegalState."""
        self._require("resume")
        self._enter("active")

    def deactivate(self, successor_id: uuid.UUID | None) -> None:
        """The user leaves. Raises IllegalState."""
        self._require("deactivate")
        self.invitation_digest = self.invitation_expires_at = None
        self.state = "deactivated"
        self.epoch += 1
        self.record(UserDeactivated(**self._state(), successor_id=successor_id))

    def reactivate(self, token: str, now: datetime) -> None:
        """Invite a user who had left. Raises IllegalState."""
        self._require("reactivate")
        self._invite(token, now)
        self._enter("invited")

    def edit(self, changes: Mapping[str, Any]) -> bool:
        """Apply `changes`; False when nothing differs."""
        changed = {name for name, value in changes.items() if getattr(self, name) != value}
        for name in changed:
            setattr(self, name, changes[name])
        if changed & _CHANGE_RIGHTS:
            self.epoch += 1
        if changed:
            self.record(UserChanged(**self._state()))
        return bool(changed)

    def set_teams(self, team_ids: Iterable[uuid.UUID]) -> None:
        """Belong to exactly these teams."""
        self.edit({"team_ids": sorted(set(team_ids))})

    def _invite(self, token: str, now: datetime) -> None:
        self.invitation_digest = invitation_digest(token)
        self.invitation_expires_at = now + INVITATION_LASTS

    def _enter(self, state: str) -> None:
        self.state = state
        self.epoch += 1
        self.record(UserChanged(**self._state()))

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"{verb.replace('_', ' ').capitalize()} is not possible: the user is {self.state}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _state(self) -> dict[str, Any]:
        return {
            "user_id": self.id,
            "email": self.email,
            "display_name": self.display_name,
            "manager_id": self.manager_id,
            "team_ids": list(self.team_ids),
            "role_names": list(self.role_names),
            "epoch": self.epoch,
            "active": self.state in ("invited", "active"),
            "state": self.state,
            "time_zone": self.time_zone,
            "locale": self.locale,
        }
