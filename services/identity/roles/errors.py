"""Refusals of the roles slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["BuiltInRole", "GrantNotInPolicy", "RoleExists", "RoleHeld", "UnknownRole"]


class RoleExists(Conflict):
    """There is a role of this name already."""

    problem = "role-exists"
    title = "There is a role of this name"


class BuiltInRole(Conflict):
    """Built-in roles come with the suite and stay as they are. Make a role of your own."""

    problem = "built-in-role"
    title = "A built-in role cannot be changed"


class RoleHeld(Conflict):
    """Users hold the role; `holders` names them. Take it from them first."""

    problem = "role-held"
    title = "Somebody holds this role"


class UnknownRole(Invalid):
    """Staff can be given existing roles only, and none of those made for portal logins."""

    problem = "unknown-role"
    title = "There is no such role for staff"


class GrantNotInPolicy(Invalid):
    """A role combines the permissions and reaches that the suite knows."""

    problem = "grant-not-in-policy"
    title = "The suite has no such permission or reach"
