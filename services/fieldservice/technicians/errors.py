"""Refusals of the technicians slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["AlreadyTechnician", "UserInactive"]


class AlreadyTechnician(Conflict):
    """The user is a technician already; the answer names which."""

    problem = "already-technician"
    title = "The user is a technician already"


class UserInactive(Conflict):
    """Who may not log in cannot be given visits."""

    problem = "user-inactive"
    title = "The user is not active"
