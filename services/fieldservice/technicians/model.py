"""The technician aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.fieldservice.database import Base
from services.fieldservice.technicians.errors import UserInactive
from shared.db.base import AggregateRoot

__all__ = ["Technician"]


class Technician(AggregateRoot, Base):
    """A user who goes to customers. `technician_no` is small, for constraints over time.

    `display_name` and `user_active` are copies of the user at `user_version`. `skills`: {skill, level 1..5,
    valid_until (YYYY-MM-DD or None)}.
    """

    __tablename__ = "technicians"
    AGGREGATE = "technician"

    user_id: Mapped[uuid.UUID]
    technician_no: Mapped[int]
    display_name: Mapped[str]
    time_zone: Mapped[str]
    skills: Mapped[list[dict[str, Any]]]
    active: Mapped[bool]
    user_active: Mapped[bool]
    user_version: Mapped[int] = mapped_column(BigInteger)

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return ["edit"]

    @property
    def first_name(self) -> str:
        """What customers are told."""
        return (self.display_name.split() or [""])[0]

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change fields by name. Raises UserInactive."""
        if changes.get("active") and not self.user_active:
            raise UserInactive("The user cannot log in: reactivate the user first, then the technician.")
        for name, value in changes.items():
            setattr(self, name, value)

    def follow_user(self, display_name: str, *, active: bool, version: int) -> None:
        """Take over what a newer fact says of the user. Who leaves gets no visits; who comes back stays without until
        a dispatcher says so."""
        if version <= self.user_version:
            return
        self.display_name, self.user_active, self.user_version = display_name, active, version
        self.active = self.active and active
