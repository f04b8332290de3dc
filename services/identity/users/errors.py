"""Refusals of the users slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid, NotFound, NotPermitted

__all__ = [
    "EmailTaken",
    "InvitationSpent",
    "LastAdmin",
    "ManagerRing",
    "NotOneself",
    "SelfGrant",
    "SuccessorNotActive",
    "UnknownManager",
]


class EmailTaken(Conflict):
    """Another user has this e-mail address; upper and lower case count as equal."""

    problem = "email-taken"
    title = "Another user has this e-mail address"


class LastAdmin(Conflict):
    """Somebody must be able to administer: the last active administrator stays one."""

    problem = "last-admin"
    title = "This is the last active administrator"


class NotOneself(Conflict):
    """One cannot suspend oneself."""

    problem = "not-oneself"
    title = "One cannot do this to oneself"


class ManagerRing(Invalid):
    """Lines of reporting form a tree of at most 12 levels."""

    problem = "manager-ring"
    title = "The user cannot report to this manager"


class UnknownManager(Invalid):
    """The manager must be a user who has not left."""

    problem = "unknown-manager"
    title = "There is no such manager"


class SuccessorNotActive(Invalid):
    """Work can be handed only to another active user."""

    problem = "successor-not-active"
    title = "The successor is not an active user"


class SelfGrant(NotPermitted):
    """Nobody changes their own roles. Ask another administrator."""

    problem = "self-grant"
    title = "One cannot change one's own roles"


class InvitationSpent(NotFound):
    """The invitation was used, withdrawn, is older than 72 hours, or never was. Ask for a new one."""

    problem = "invitation-spent"
    title = "The invitation is not valid, or no longer"
