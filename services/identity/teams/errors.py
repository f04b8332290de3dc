"""Refusals of the teams slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["TeamHasParts", "TeamRing", "UnknownPerson", "UnknownTeam"]


class TeamRing(Invalid):
    """Teams form a tree of at most 12 levels."""

    problem = "team-ring"
    title = "The team cannot be part of this one"


class TeamHasParts(Conflict):
    """Other teams are part of the team. Move or dissolve them first."""

    problem = "team-has-parts"
    title = "Other teams are part of this one"


class UnknownTeam(Invalid):
    """The team does not exist or was dissolved."""

    problem = "unknown-team"
    title = "There is no such team"


class UnknownPerson(Invalid):
    """Leads and members are users who have not left."""

    problem = "unknown-person"
    title = "There is no such user"
