"""What roles give: permissions with reach, combined and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from shared.access.principal import ALL_PERMISSIONS, REACHES, Reach
from shared.contracts.policy import Policy
from shared.kernel.errors import NotPermitted

__all__ = [
    "ADMIN",
    "GrantExceedsOwn",
    "Grants",
    "beyond",
    "check_grants",
    "combine",
    "grants_of_scopes",
    "narrow",
    "reach_of",
    "widest",
]

ADMIN = "admin"
"""The built-in role that holds every permission."""

Grants = Mapping[str, Reach]


class GrantExceedsOwn(NotPermitted):
    """Nobody grants what they lack. `permissions` names what is missing."""

    problem = "grant-exceeds-own"
    title = "One cannot grant more than one holds"


def widest(reaches: Iterable[Reach]) -> Reach:
    """The widest of some reaches, at least one: own < team < territory < all."""
    return max(reaches, key=REACHES.index)


def reach_of(grants: Grants, permission: str) -> Reach | None:
    """How far `permission` reaches under `grants`; None when it is not given."""
    return grants.get(ALL_PERMISSIONS) or grants.get(permission)


def combine(many: Iterable[Grants]) -> dict[str, Reach]:
    """The union: each permission with the widest reach that any of `many` gives. There are no deny rules."""
    found: dict[str, Reach] = {}
    for grants in many:
        for permission, reach in grants.items():
            found[permission] = widest([found.get(permission, reach), reach])
    return {ALL_PERMISSIONS: "all"} if ALL_PERMISSIONS in found else found


def grants_of_scopes(scopes: Iterable[str]) -> dict[str, Reach]:
    """What a machine with these scopes may do: each at its widest reach. Scopes that the policy no longer knows give
    nothing; the operator's one scope gives everything."""
    given, known = list(scopes), Policy.load().permissions
    if ALL_PERMISSIONS in given:
        return {ALL_PERMISSIONS: "all"}
    return {scope: cast("Reach", known[scope].widest) for scope in given if scope in known}


def narrow(grants: Grants, scopes: Iterable[str]) -> dict[str, Reach] | None:
    """`grants` cut down to `scopes`; None when a scope is not among them."""
    cut = {scope: reach_of(grants, scope) for scope in scopes}
    return {scope: reach for scope, reach in cut.items() if reach} if all(cut.values()) else None


def beyond(given: Grants, own: Grants) -> list[str]:
    """The permissions that `given` holds, or holds further, than `own`; sorted."""

    def exceeds(permission: str, reach: Reach) -> bool:
        held = reach_of(own, permission)
        return held is None or REACHES.index(held) < REACHES.index(reach)

    return sorted(permission for permission, reach in given.items() if exceeds(permission, reach))


def check_grants(given: Grants, own: Grants) -> None:
    """Raise GrantExceedsOwn when `given` goes beyond what the giver holds."""
    missing = beyond(given, own)
    if missing:
        raise GrantExceedsOwn(
            f"You lack {', '.join(missing[:5])}, or hold it with less reach.", permissions=missing
        )
