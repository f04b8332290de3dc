"""Get and find users."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import exists, select

from services.identity.grants import ADMIN
from services.identity.users.model import User
from shared.db.repository import Repository

__all__ = ["Users"]


class Users(Repository[User]):
    """The users of one session."""

    model = User

    def with_email(self, email: str) -> User | None:
        """The user with the normal form `email`."""
        return self.session.scalar(select(User).where(User.email == email))

    def with_invitation(self, digest: bytes) -> User | None:
        """The user whose invitation has this digest; his row is held."""
        return self.session.scalar(select(User).where(User.invitation_digest == digest).with_for_update())

    def named(self, user_ids: Iterable[uuid.UUID]) -> list[User]:
        """Those of `user_ids` that exist, by id."""
        return list(self.session.scalars(select(User).where(User.id.in_(list(user_ids))).order_by(User.id)))

    def reports_of(self, manager_id: uuid.UUID) -> list[User]:
        """Who reports directly to `manager_id`, by id."""
        return list(self.session.scalars(select(User).where(User.manager_id == manager_id).order_by(User.id)))

    def holders_of(self, role_name: str) -> list[User]:
        """Who holds the role, by name."""
        held = User.role_names.contains([role_name])
        return list(self.session.scalars(select(User).where(held).order_by(User.display_name, User.id)))

    def managers(self) -> dict[uuid.UUID, uuid.UUID | None]:
        """Everybody's manager."""
        return {row.id: row.manager_id for row in self.session.execute(select(User.id, User.manager_id))}

    def first_active_admin(self) -> User | None:
        """The administrator who has been here longest."""
        return self.session.scalars(
            select(User).where(*_ACTIVE_ADMIN).order_by(User.created_at, User.id).limit(1)
        ).first()

    def has_other_active_admin(self, user_id: uuid.UUID) -> bool:
        """Whether somebody beside `user_id` can administer."""
        return bool(self.session.scalar(select(exists().where(*_ACTIVE_ADMIN, User.id != user_id))))


_ACTIVE_ADMIN = (User.state == "active", User.role_names.contains([ADMIN]))
