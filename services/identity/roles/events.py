"""Facts about roles."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.access.principal import Reach
from shared.kernel.events import Event

__all__ = ["RoleChanged"]


@dataclass(frozen=True)
class RoleChanged(Event):
    """A role was made, its grants changed, or it was deleted."""

    TYPE = "crm.identity.role.changed.v1"

    role_id: uuid.UUID
    name: str
    role_version: int
    built_in: bool
    grants: dict[str, Reach]
    active: bool
