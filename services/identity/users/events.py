"""Facts about users."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.kernel.events import Event

__all__ = ["UserChanged", "UserCreated", "UserDeactivated", "UserState"]


@dataclass(frozen=True)
class UserState(Event):
    """The whole user: a consumer never has to ask back."""

    user_id: uuid.UUID
    email: str
    display_name: str
    manager_id: uuid.UUID | None
    team_ids: list[uuid.UUID]
    role_names: list[str]
    epoch: int
    active: bool
    state: str
    time_zone: str
    locale: str


@dataclass(frozen=True)
class UserCreated(UserState):
    """A user was invited."""

    TYPE = "crm.identity.user.created.v1"


@dataclass(frozen=True)
class UserChanged(UserState):
    """A user's profile, state, manager, teams or roles changed."""

    TYPE = "crm.identity.user.changed.v1"


@dataclass(frozen=True)
class UserDeactivated(UserState):
    """A user left; open work goes to the successor, else to the manager."""

    TYPE = "crm.identity.user.deactivated.v1"

    successor_id: uuid.UUID | None
