"""The role aggregate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.database import Base
from services.identity.roles.errors import BuiltInRole
from services.identity.roles.events import RoleChanged
from shared.access.principal import Reach
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["Role"]


class Role(AggregateRoot, Base):
    """`grants` maps permissions to reach. `role_version` moves with them; access tokens name it."""

    __tablename__ = "roles"
    AGGREGATE = "role"

    name: Mapped[str]
    says: Mapped[str]
    built_in: Mapped[bool]
    grants: Mapped[dict[str, Reach]] = mapped_column(JSONB)
    role_version: Mapped[int]
    state: Mapped[str]

    @classmethod
    def create(cls, values: Mapping[str, Any], *, built_in: bool = False) -> Self:
        """A new role with `values`: name, says, grants."""
        role = cls(state="active", role_version=1, built_in=built_in, **values)
        role._record()
        return role

    @property
    def allowed(self) -> list[str]:
        """The verbs that are possible."""
        return ["edit", "delete"] if self.state == "active" and not self.built_in else []

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change what a custom role says and grants. Raises BuiltInRole, IllegalState."""
        self._require("edit")
        self.says = changes.get("says", self.says)
        self.grant(changes.get("grants", self.grants))

    def grant(self, grants: Mapping[str, Reach]) -> None:
        """Permit exactly `grants`; nothing happens when the role does so already."""
        if dict(grants) != self.grants:
            self.grants = dict(grants)
            self.role_version += 1
            self._record()

    def delete(self) -> None:
        """End a custom role. Raises BuiltInRole, IllegalState."""
        self._require("delete")
        self.state = "deleted"
        self._record()

    def _require(self, verb: str) -> None:
        if self.built_in:
            raise BuiltInRole(f"The role {self.name} comes with the suite. Make a role of your own.")
        if verb not in self.allowed:
            raise IllegalState(f"The role {self.name} was deleted.", state=self.state, allowed=self.allowed)

    def _record(self) -> None:
        self.record(
            RoleChanged(
                role_id=self.id,
                name=self.name,
                role_version=self.role_version,
                built_in=self.built_in,
                grants=dict(self.grants),
                active=self.state == "active",
            )
        )
