"""Get and find roles."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from services.identity.roles.model import Role
from shared.db.repository import Repository

__all__ = ["Roles"]


class Roles(Repository[Role]):
    """The roles of one session."""

    model = Role

    def named(self, names: Iterable[str]) -> list[Role]:
        """The active roles of these names, by name."""
        query = select(Role).where(Role.name.in_(list(names)), Role.state == "active").order_by(Role.name)
        return list(self.session.scalars(query))
