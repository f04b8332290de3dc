"""Whether a crew can do what a visit asks for: a pure rule of skills, levels and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

__all__ = ["Member", "counts", "unmet_needs"]


@dataclass(frozen=True, slots=True)
class Member:
    """One of the crew. `skills`: {skill, level, valid_until (YYYY-MM-DD or None)}."""

    name: str
    role: str
    skills: Sequence[Mapping[str, Any]]


def counts(held: Mapping[str, Any], needed: Mapping[str, Any], day: date) -> bool:
    """Whether a skill suffices on `day`: the same skill, its level high enough, and valid up to that day at least.

    `needed`: {skill, min_level}.
    """
    until = held["valid_until"]
    return (
        held["skill"] == needed["skill"]
        and held["level"] >= needed["min_level"]
        and (until is None or date.fromisoformat(until) >= day)
    )


def unmet_needs(roles: Sequence[Mapping[str, Any]], crew: Sequence[Member], day: date) -> list[str]:
    """What the crew lacks on the visit's local date, a sentence each; empty where it fits.

    `roles`: {role, skills}. Several helpers take the helpers' roles in the order in which both are given.
    """
    waiting = list(crew)
    unmet = []
    for role in roles:
        member = next((member for member in waiting if member.role == role["role"]), None)
        if member is None:
            unmet.append(f"The visit needs another {role['role']}.")
            continue
        waiting.remove(member)
        unmet += [
            f"{member.name} lacks {needed['skill']} at level {needed['min_level']} on {day}."
            for needed in role["skills"]
            if not any(counts(held, needed, day) for held in member.skills)
        ]
    return unmet
