"""The policy file: every permission of the suite, how far it may reach and which built-in roles hold it.

`permissions.yaml` has one block per service, `permission -> {says, reach, roles, pii, step_up, portal,
machine}`. The file is the only vocabulary: routes, roles, scopes of machine clients and the documentation
come from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["PORTAL_ROLES", "ROLES", "Permission", "Policy", "PolicyError"]

_FILE = Path(__file__).with_name("permissions.yaml")
_REACHES = ("own", "team", "territory", "all")
_FLAGS = ("pii", "step_up", "portal", "machine")

PORTAL_ROLES = ("portal_user", "portal_admin", "partner")
ROLES = (
    "admin",
    "sales_rep",
    "sales_manager",
    "marketer",
    "agent",
    "support_lead",
    "dispatcher",
    "technician",
    "service_manager",
    "analyst",
    "auditor",
    *PORTAL_ROLES,
)
"""The built-in roles. `admin` implicitly holds every permission at its widest reach."""


class PolicyError(ValueError):
    """The policy file does not hold together; the message lists everything that is wrong."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that may be done. `reach`: the reaches a role may give, narrowest first."""

    name: str
    service: str
    says: str
    reach: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    pii: bool = False
    step_up: bool = False
    portal: bool = False
    machine: bool = False

    @property
    def widest(self) -> str:
        """The widest reach the permission can have."""
        return self.reach[-1]


@dataclass(frozen=True)
class Policy:
    """All permissions by name, and what each built-in role holds: `roles["agent"]["case.read"] == "team"`."""

    permissions: Mapping[str, Permission]
    roles: Mapping[str, Mapping[str, str]]

    @property
    def machine_scopes(self) -> frozenset[str]:
        """The permissions that a machine client may be given as scopes."""
        return frozenset(p.name for p in self.permissions.values() if p.machine)

    @classmethod
    def load(cls, path: Path | None = None) -> Policy:
        """The suite's policy, or the one in `path`. Raises PolicyError naming everything that is wrong."""
        return _load(path or _FILE)

    @classmethod
    def parse(cls, text: str) -> Policy:
        """The policy in `text` (YAML). Raises PolicyError naming everything that is wrong."""
        document = yaml.load(text, Loader=yaml.CSafeLoader)
        if not isinstance(document, dict):
            raise PolicyError("the policy is a mapping of services")
        errors: list[str] = []
        permissions: dict[str, Permission] = {}
        for service, block in document.items():
            for name, entry in (block or {}).items():
                if name in permissions:
                    errors.append(f"{name}: declared twice")
                problems = list(_problems(name, entry))
                errors.extend(problems)
                if not problems:
                    permissions[name] = _permission(str(service), name, entry)
        if errors:
            raise PolicyError("permissions.yaml: " + "; ".join(errors))
        return cls(permissions, _roles(permissions))


@cache
def _load(path: Path) -> Policy:
    return Policy.parse(path.read_text(encoding="utf-8"))


def _permission(service: str, name: str, entry: Mapping[str, Any]) -> Permission:
    flags = {flag: entry.get(flag, False) for flag in _FLAGS}
    return Permission(name, service, entry["says"], tuple(entry["reach"]), entry.get("roles") or {}, **flags)


def _problems(name: str, entry: Any) -> list[str]:
    """What is wrong with one entry, as sentences that begin with its name."""
    if not isinstance(entry, dict):
        return [f"{name}: says, reach and roles are missing"]
    wrong = [f"{name}: unknown key {key}" for key in entry if key not in ("says", "reach", "roles", *_FLAGS)]
    parts = str(name).split(".")
    if len(parts) != 2 or not all(part.replace("_", "").isalnum() and part.islower() for part in parts):
        wrong.append(f"{name}: a permission is named <noun>.<verb> in lower case")
    if not isinstance(entry.get("says"), str) or not entry["says"]:
        wrong.append(f"{name}: 'says' must be a sentence")
    reach = entry.get("reach")
    if not isinstance(reach, list) or not reach or [r for r in _REACHES if r in reach] != reach:
        return [*wrong, f"{name}: 'reach' lists some of {', '.join(_REACHES)} from narrow to wide"]
    wrong += [
        f"{name}: '{flag}' must be true or false"
        for flag in _FLAGS
        if not isinstance(entry.get(flag, False), bool)
    ]
    for role, width in (entry.get("roles") or {}).items():
        if role not in ROLES or role == "admin":
            wrong.append(f"{name}: {role} is not a built-in role that is given permissions")
        elif width not in reach:
            wrong.append(f"{name}: {role} has reach {width}, which 'reach' does not list")
        elif role in PORTAL_ROLES and not entry.get("portal", False):
            wrong.append(f"{name}: {role} needs 'portal: true'")
    return wrong


def _roles(permissions: Mapping[str, Permission]) -> dict[str, dict[str, str]]:
    roles: dict[str, dict[str, str]] = {role: {} for role in ROLES}
    for permission in permissions.values():
        roles["admin"][permission.name] = permission.widest
        for role, width in permission.roles.items():
            roles[role][permission.name] = width
    return roles
