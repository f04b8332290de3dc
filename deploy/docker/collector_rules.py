"""What must hold in the OpenTelemetry collector's configuration: its parts name each other, and addresses fit.

The collector is a Go program that no package registry carries, so its own `validate` cannot be asked here. Components:
opentelemetry.io/docs/collector/configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from deploy.docker.compose import Compose

__all__ = ["COLLECTOR_PORT", "collector_is_wired"]

COLLECTOR = "otel-collector"
COLLECTOR_PORT = 4318
# The components in use, and the signals that each takes.
_ALL = frozenset({"traces", "metrics", "logs"})
_KNOWN: Mapping[str, Mapping[str, frozenset[str]]] = {
    "receivers": {"otlp": _ALL},
    "processors": {"memory_limiter": _ALL, "batch": _ALL},
    "exporters": {"otlp": _ALL, "prometheus": frozenset({"metrics"})},
    "extensions": {"health_check": frozenset()},
}
_NEEDED = ("receivers", "exporters")


def collector_is_wired(compose: Compose) -> Iterator[str]:
    """Every pipeline of the collector is made of parts that exist, and every part is used."""
    path = compose.root / "deploy/observability/otel-collector.yaml"
    config = yaml.safe_load(path.read_text())
    service = config.get("service", {})
    pipelines: Mapping[str, Mapping[str, list[str]]] = service.get("pipelines", {})
    used = {kind: {name for line in pipelines.values() for name in line.get(kind, [])} for kind in _KNOWN}
    used["extensions"] |= set(service.get("extensions", []))
    yield from (
        f"the collector does not know {key}" for key in sorted(config.keys() - _KNOWN.keys() - {"service"})
    )
    for kind, known in _KNOWN.items():
        made = set(config.get(kind, {}))
        yield from (
            f"the collector uses {kind} {name}, which is not configured" for name in sorted(used[kind] - made)
        )
        yield from (f"the collector's {kind} {name} is not used" for name in sorted(made - used[kind]))
        for name in sorted(made):
            if _type(name) not in known:
                yield f"the collector's {kind} {name} is of a kind that was never tried"
    for name, line in pipelines.items():
        yield from (f"the collector's pipeline {name} {problem}" for problem in _pipeline(name, line))
    yield from _addresses(compose, config)


def _pipeline(name: str, line: Mapping[str, list[str]]) -> Iterator[str]:
    signal = _type(name)
    if signal not in _ALL:
        yield "carries no signal"
    yield from (f"has no {kind}" for kind in _NEEDED if not line.get(kind))
    yield from (f"does not know {kind}" for kind in sorted(line.keys() - _KNOWN.keys()))
    for kind, known in _KNOWN.items():
        for part in line.get(kind, []):
            if signal not in known.get(_type(part), _ALL):
                yield f"gives {part} what it does not take"
    if line.get("processors", [])[:1] != ["memory_limiter"]:
        yield "does not refuse first what memory has no room for"


def _addresses(compose: Compose, config: Mapping[str, Any]) -> Iterator[str]:
    """It listens where processes push, and pushes to containers that it can reach."""
    listens = (
        config.get("receivers", {}).get("otlp", {}).get("protocols", {}).get("http", {}).get("endpoint", "")
    )
    if listens.rpartition(":")[2] != str(COLLECTOR_PORT):
        yield f"the collector listens at {listens or 'no address'}, processes push to port {COLLECTOR_PORT}"
    for name, exporter in config.get("exporters", {}).items():
        if _type(name) != "otlp":
            continue
        host = exporter.get("endpoint", "").partition(":")[0]
        target = compose.containers.get(host)
        if target is None:
            yield f"the collector pushes to {host or 'nobody'}, which does not exist"
        elif not target.networks & compose.containers[COLLECTOR].networks:
            yield f"the collector pushes to {host}, and shares no network with it"


def _type(name: str) -> str:
    """`otlp` of `otlp/traces`."""
    return name.partition("/")[0]
