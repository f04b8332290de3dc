"""What `kubectl kustomize` makes of an overlay, as the checks see it: resources, processes, and what those are told."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["SECRETS", "BuildFailed", "Installation", "Process", "Resource"]

Resource = Mapping[str, Any]

NAME = "app.kubernetes.io/name"
ROLE = "app.kubernetes.io/component"
SECRETS = "/run/crm"
"""Where a process finds its files."""


class BuildFailed(Exception):
    """kubectl cannot make manifests of an overlay; the text says why."""


@dataclass(frozen=True)
class Process:
    """A kind of process of one service: the Deployment or Job that runs it. `role` is web, bus or migrate."""

    service: str
    role: str
    resource: Resource
    told: Mapping[str, str]

    @property
    def name(self) -> str:
        """Name of the Deployment or Job."""
        return str(self.resource["metadata"]["name"])

    @property
    def template(self) -> Resource:
        """The pods it makes."""
        found: Resource = self.resource["spec"]["template"]
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        found: Mapping[str, str] = self.template["metadata"]["labels"]
        return found

    @property
    def pod(self) -> Resource:
        """The specification of its pods."""
        found: Resource = self.template["spec"]
        return found

    @property
    def container(self) -> Resource:
        """Its container."""
        found: Resource = self.pod["containers"][0]
        return found

    @property
    def containers(self) -> list[Resource]:
        """Its container, and those that run before."""
        return [*self.pod["containers"], *self.pod.get("initContainers", [])]

    def secret_files(self) -> Iterator[tuple[str, str, str]]:
        """Each file it finds below /run/crm: the file's name, the Secret and the key that it comes from."""
        mounted = {mount["name"] for mount in self.container["volumeMounts"] if mount["mountPath"] == SECRETS}
        for volume in self.pod["volumes"]:
            if volume["name"] in mounted:
                for source in volume["projected"]["sources"]:
                    for item in source["secret"]["items"]:
                        yield item["path"], source["secret"]["name"], item["key"]


@dataclass(frozen=True)
class Installation:
    """Everything that applying the overlay of that name would make."""

    overlay: str
    resources: tuple[Resource, ...]

    @classmethod
    def build(cls, folder: Path) -> Installation:
        """What kubectl makes of the overlay in `folder`. Raises BuildFailed."""
        kubectl = Path(sysconfig.get_path("scripts")) / "kubectl"
        done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildFailed(f"{folder.name}: {done.stderr.strip()}")
        return cls(folder.name, tuple(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)))

    def of(self, *kinds: str) -> list[Resource]:
        """All resources of these kinds."""
        return [resource for resource in self.resources if resource["kind"] in kinds]

    def has(self, kind: str, name: str) -> bool:
        """Whether there is a resource of that kind and name."""
        return self.find(kind, name) is not None

    def find(self, kind: str, name: str) -> Resource | None:
        """The resource of that kind and name."""
        return next((one for one in self.of(kind) if one["metadata"]["name"] == name), None)

    def processes(self) -> list[Process]:
        """Every kind of process of every service."""
        return [
            Process(
                workload["metadata"]["labels"][NAME],
                workload["metadata"]["labels"][ROLE],
                workload,
                self._told(workload["spec"]["template"]["spec"]["containers"][0]),
            )
            for workload in self.of("Deployment", "Job")
        ]

    def process(self, name: str) -> Process:
        """The process that the Deployment or Job of that name runs. Raises KeyError."""
        return {process.name: process for process in self.processes()}[name]

    def _told(self, container: Resource) -> Mapping[str, str]:
        told: dict[str, str] = {}
        for source in container.get("envFrom", []):
            settings = self.find("ConfigMap", source["configMapRef"]["name"])
            told |= settings["data"] if settings else {}
        return told | {variable["name"]: variable["value"] for variable in container.get("env", [])}
