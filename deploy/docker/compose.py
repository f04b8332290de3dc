"""The compose file as the checks see it: containers, what they are told, and the secrets they would find."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.docker.secrets import MOUNT, READERS, Vault, hand_out

__all__ = ["MOUNT", "Compose", "Container"]

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*))?\}")
ROLES = ("migrate", "web", "bus")


@dataclass(frozen=True)
class Container:
    """One entry below `services:`."""

    name: str
    entry: Mapping[str, Any]

    @property
    def image(self) -> str:
        """Its image, with the defaults of the variables in it."""
        return filled(self.entry["image"])

    @property
    def environment(self) -> Mapping[str, str]:
        """What it is told, with the defaults of the variables in it."""
        told = self.entry.get("environment", {})
        return {name: filled(str(value)) for name, value in told.items()}

    @property
    def networks(self) -> frozenset[str]:
        """The networks it is in."""
        return frozenset(self.entry.get("networks", []))

    @property
    def mounts(self) -> Mapping[str, str]:
        """Where it finds what: the place in the container to the volume or the path outside."""
        return {
            target: source
            for source, target, *_ in (text.split(":") for text in self.entry.get("volumes", []))
        }

    @property
    def is_job(self) -> bool:
        """Whether it runs once."""
        return str(self.entry.get("restart", "")).startswith("on-failure")

    @property
    def needs(self) -> Mapping[str, str]:
        """Whom it waits for, and until when."""
        return {name: wait["condition"] for name, wait in self.entry.get("depends_on", {}).items()}

    @property
    def process(self) -> tuple[str, str] | None:
        """Service and role, for a process of the suite."""
        service, _, role = self.name.rpartition("-")
        return (service, role) if role in ROLES else None


@dataclass(frozen=True)
class Compose:
    """The installation that `docker-compose.yml` below `root` describes; `secrets` has what its first start makes."""

    root: Path
    text: str
    document: Mapping[str, Any]
    secrets: Path

    @classmethod
    def read(cls, root: Path, scratch: Path) -> Compose:
        """Read the file, and make secrets below `scratch` as the job of that name would."""
        text = (root / "docker-compose.yml").read_text()
        for reader in READERS:
            (scratch / "readers" / reader).mkdir(parents=True, exist_ok=True)
        hand_out(Vault(scratch / "vault"), scratch / "readers", "localhost")
        return cls(root, text, yaml.load(text, Loader=yaml.CSafeLoader), scratch / "readers")

    @property
    def containers(self) -> Mapping[str, Container]:
        """All of them by name."""
        return {name: Container(name, entry) for name, entry in self.document["services"].items()}

    def processes(self) -> Iterator[tuple[Container, str, str]]:
        """Each process of the suite with its service and role."""
        for container in self.containers.values():
            if container.process is not None:
                yield container, *container.process

    def told(self, container: Container) -> dict[str, str]:
        """The environment of `container`, where files of its own secrets are those made for this check."""
        volume = container.mounts.get(MOUNT, "")
        folder = self.secrets / volume.removesuffix("-secrets")
        return {
            name: value.replace(MOUNT, str(folder)) if value.startswith(f"{MOUNT}/") else value
            for name, value in container.environment.items()
        }

    def variables(self) -> Iterator[tuple[str, str | None]]:
        """Every variable that the file asks the operator for, with its default there."""
        for match in VARIABLE.finditer(self.text):
            yield match["name"], match["default"]


def filled(text: str) -> str:
    """`text` with the defaults of the variables in it."""
    return VARIABLE.sub(lambda match: match["default"] or "", text)
