"""Who is asking, as the verified token says."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ALL_PERMISSIONS", "REACHES", "Kind", "Principal", "Reach"]

Kind = Literal["staff", "portal", "machine"]
Reach = Literal["own", "team", "territory", "all"]

REACHES: tuple[Reach, ...] = ("own", "team", "territory", "all")
"""From the narrowest to the widest."""

ALL_PERMISSIONS = "*"
"""The permission that stands for every one; administrators hold it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. `permissions` maps a permission to how far it reaches, `roles` the name of a role to the version that
    counted; `sight` and the account and contact are those of a portal login; `sid` names the session; `mfa_at` is when
    a second factor was last given, in seconds since the epoch."""

    subject: str
    kind: Kind
    client_id: str
    permissions: Mapping[str, Reach]
    account_id: uuid.UUID | None = None
    contact_id: uuid.UUID | None = None
    sight: Literal["own", "account"] = "own"
    epoch: int = 0
    roles: Mapping[str, int] = field(default_factory=dict)
    sid: uuid.UUID | None = None
    mfa_at: int | None = None

    def reach(self, permission: str) -> Reach | None:
        """How far `permission` reaches for this caller; None when it is not held."""
        return self.permissions.get(permission) or self.permissions.get(ALL_PERMISSIONS)

    def may(self, permission: str) -> bool:
        """Whether the caller holds `permission` at all."""
        return self.reach(permission) is not None

    @property
    def user_id(self) -> uuid.UUID | None:
        """The id of the person, None for a machine."""
        return None if self.kind == "machine" else uuid.UUID(self.subject)

    @property
    def actor(self) -> str:
        """The caller as messages and the audit log name it: `user:<id>` or `client:<id>`."""
        return f"client:{self.client_id}" if self.kind == "machine" else f"user:{self.subject}"
