"""Make technicians of users, change them, follow what becomes of their users."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.fieldservice.technicians.errors import AlreadyTechnician, UserInactive
from services.fieldservice.technicians.model import Technician
from services.fieldservice.technicians.repository import Technicians
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Invalid

__all__ = ["TECHNICIAN_ROLE", "add_technician", "edit_technician", "follow_user"]

TECHNICIAN_ROLE = "technician"


def add_technician(values: Mapping[str, Any], uow: UnitOfWork) -> Technician:
    """Make a technician of a user. Raises Invalid, AlreadyTechnician, UserInactive."""
    with uow:
        technicians = Technicians(uow.session)
        known = technicians.of_user(values["user_id"])
        if known is not None:
            raise AlreadyTechnician("Change that technician instead.", technician_id=str(known.id))
        user = technicians.user(values["user_id"])
        if user is None:
            raise Invalid.field("/user_id", "No user with this id is known here.")
        if not user.active:
            raise UserInactive("The user cannot log in: reactivate the user first.")
        return technicians.add(
            Technician(
                user_id=user.id,
                technician_no=technicians.next_no(),
                display_name=user.display_name,
                time_zone=values["time_zone"] or company(uow.session).zone.key,
                skills=values["skills"],
                active=True,
                user_active=True,
                user_version=user.version,
            )
        )


def edit_technician(
    technician_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int
) -> Technician:
    """Change a technician. Raises NotFound, Stale, UserInactive."""
    with uow:
        technician = Technicians(uow.session).get(technician_id, expected_version=expected_version)
        technician.edit(changes)
        return technician


def follow_user(user: Mapping[str, Any], version: int, uow: UnitOfWork) -> None:
    """Take over a user's name and whether he is active; an active user with the role becomes a technician by himself.

    `user`: fields of the user's facts. Losing the role changes nothing: a dispatcher decides about planned visits.
    """
    with uow:
        technicians = Technicians(uow.session)
        technician = technicians.of_user(user["user_id"])
        if technician is not None:
            technician.follow_user(user["display_name"], active=user["active"], version=version)
        elif user["active"] and TECHNICIAN_ROLE in user["role_names"]:
            technicians.add(
                Technician(
                    user_id=user["user_id"],
                    technician_no=technicians.next_no(),
                    display_name=user["display_name"],
                    time_zone=user["time_zone"],
                    skills=[],
                    active=True,
                    user_active=True,
                    user_version=version,
                )
            )
