"""Topics and users of Kafka, as declared and as Strimzi is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from shared.contracts.catalog import Catalog, Topic
from shared.messaging.principals import Right, rights_of, username
from shared.messaging.topics import as_created

__all__ = ["HERE", "OVERLAYS", "documents"]

HERE = Path(__file__).parent
CLUSTER = "crm"
OVERLAYS: Mapping[str, str] = {"production": "production", "dev": "local"}
"""Overlay to the environment it is."""

_HEADER = "# Made from shared/contracts/topics by `make contracts`.\n"


def documents(root: Path = HERE) -> Mapping[Path, str]:
    """The text of the files with topics and users, by their path below `root`."""
    catalog = Catalog.load()
    services = sorted({topic.service for topic in catalog.topics.values()})
    topics = {
        root / "overlays" / overlay / "topics.yaml": _text(
            _topic(topic, environment) for topic in catalog.topics.values()
        )
        for overlay, environment in OVERLAYS.items()
    }
    return {root / "base" / "kafka-users.yaml": _text(_user(name, catalog) for name in services), **topics}


def _topic(topic: Topic, environment: str) -> Mapping[str, Any]:
    created = as_created(topic, environment)
    spec = {
        "topicName": topic.name,
        "partitions": created["num_partitions"],
        "replicas": created["replication_factor"],
        "config": {
            name: int(value) if value.isdigit() else value for name, value in created["configs"].items()
        },
    }
    # Names in Kubernetes have no underscores.
    return _resource("KafkaTopic", topic.name.replace("_", "-"), spec)


def _user(service: str, catalog: Catalog) -> Mapping[str, Any]:
    acls = [_acl(right) for right in sorted(rights_of(service, catalog), key=_order)]
    spec = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": acls},
    }
    return _resource("KafkaUser", username(service), spec)


def _order(right: Right) -> tuple[str, str, str]:
    return right.kind, right.name, right.operation


def _acl(right: Right) -> Mapping[str, Any]:
    return {
        "resource": {"type": right.kind, "name": right.name, "patternType": "literal"},
        "operations": [right.operation.capitalize()],
    }


def _resource(kind: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": spec,
    }


def _text(resources: Iterator[Mapping[str, Any]]) -> str:
    return _HEADER + yaml.safe_dump_all(resources, sort_keys=False, width=120)
