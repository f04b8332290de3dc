"""Facts about teams."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.kernel.events import Event

__all__ = ["TeamChanged"]


@dataclass(frozen=True)
class TeamChanged(Event):
    """A team was made, edited or dissolved."""

    TYPE = "crm.identity.team.changed.v1"

    team_id: uuid.UUID
    name: str
    kind: str
    parent_id: uuid.UUID | None
    lead_id: uuid.UUID | None
    member_ids: list[uuid.UUID]
    active: bool
