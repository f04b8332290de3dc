"""The recordings and alerts of deploy/observability as the Prometheus Operator is told of them."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["document"]

RULES = Path(__file__).parents[1] / "observability" / "alerts.yml"

_HEADER = "# Made from deploy/observability/alerts.yml by `make contracts`.\n"


def document(rules: Path = RULES) -> str:
    """The text of a PrometheusRule with all groups of `rules`."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "alerts"},
        "spec": yaml.safe_load(rules.read_text()),
    }
    return _HEADER + yaml.safe_dump(resource, sort_keys=False, width=120)
