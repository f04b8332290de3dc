"""The team aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Self

from sqlalchemy import Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.database import Base
from services.identity.teams.events import TeamChanged
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["Team"]


class Team(AggregateRoot, Base):
    """States: active -> dissolved. The table `teams` is the library's copy of this one, kept by a trigger."""

    __tablename__ = "staff_teams"
    AGGREGATE = "team"

    name: Mapped[str]
    kind: Mapped[str]
    parent_id: Mapped[uuid.UUID | None]
    lead_id: Mapped[uuid.UUID | None]
    member_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid))
    state: Mapped[str]

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Self:
        """A new team with `values` (fields by name) and no members yet."""
        team = cls(state="active", member_ids=[], **values)
        team._record()
        return team

    @property
    def allowed(self) -> list[str]:
        """The verbs that the state allows."""
        return ["edit", "dissolve"] if self.state == "active" else []

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Apply `changes`. Raises IllegalState."""
        self._require("edit")
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, changes[name])
        if changed:
            self._record()

    def set_members(self, member_ids: Iterable[uuid.UUID]) -> None:
        """Consist of exactly these users. Raises IllegalState."""
        self.edit({"member_ids": sorted(set(member_ids))})

    def dissolve(self) -> None:
        """End the team; nobody belongs to it or leads it any more. Raises IllegalState."""
        self._require("dissolve")
        self.state = "dissolved"
        self.member_ids, self.lead_id, self.parent_id = [], None, None
        self._record()

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(f"The team {self.name} was dissolved.", state=self.state, allowed=self.allowed)

    def _record(self) -> None:
        self.record(
            TeamChanged(
                team_id=self.id,
                name=self.name,
                kind=self.kind,
                parent_id=self.parent_id,
                lead_id=self.lead_id,
                member_ids=list(self.member_ids),
                active=self.state == "active",
            )
        )
