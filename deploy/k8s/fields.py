"""Whether resources are what Kubernetes and the operators take: their fields, types and allowed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from deploy.k8s.manifests import Installation, Resource
from deploy.k8s.topics import HERE

__all__ = ["VERSION", "fit"]

VERSION = "1.34"
"""The oldest Kubernetes that the manifests are for: the first in which waiting before the end needs no shell."""


def fit(installation: Installation) -> Iterator[str]:
    """A sentence for each resource that would be refused, or of which a part would be ignored."""
    for resource in installation.resources:
        who = f"{resource['kind']} {resource['metadata']['name']}"
        if resource["apiVersion"].partition("/")[0] in _custom_groups():
            yield from (f"{who}: {problem}" for problem in _misfits(resource))
            continue
        try:
            kubernetes_validate.validate(resource, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{who}: {'.'.join(map(str, error.path))} {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{who}: nobody knows {resource['apiVersion']} {resource['kind']}"


def _misfits(resource: Resource) -> Iterator[str]:
    known = _custom().get(resource["kind"])
    if known is None or known["apiVersion"] != resource["apiVersion"]:
        yield f"nobody knows {resource['apiVersion']} {resource['kind']}"
        return
    for error in jsonschema.Draft202012Validator(known["spec"]).iter_errors(resource["spec"]):
        yield f"spec.{'.'.join(map(str, error.absolute_path))} {error.message}"


@cache
def _custom() -> Mapping[str, Mapping[str, Any]]:
    """The schemas kept in this folder: by kind, the version and the schema of its `spec`."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted((HERE / "schemas").glob("*.yaml")):
        found |= yaml.safe_load(path.read_text())
    return found


@cache
def _custom_groups() -> frozenset[str]:
    return frozenset(schema["apiVersion"].partition("/")[0] for schema in _custom().values())
