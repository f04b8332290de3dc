from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.catalog import Catalog

CONTRACTS = Path(__file__).resolve().parents[2] / "shared" / "contracts"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`event_type`, `topic` and `service_name` in a test's arguments mean: for each of them."""
    catalog = Catalog.load()
    if "event_type" in metafunc.fixturenames:
        metafunc.parametrize("event_type", catalog.types)
    if "topic" in metafunc.fixturenames:
        topics = list(catalog.topics.values())
        metafunc.parametrize("topic", topics, ids=[topic.name for topic in topics])
    if "service_name" in metafunc.fixturenames:
        services = CONTRACTS.parents[1] / "services"
        metafunc.parametrize(
            "service_name", sorted(path.parent.name for path in services.glob("*/wiring.py"))
        )


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="session")
def contracts_folder() -> Path:
    return CONTRACTS


@pytest.fixture
def examples(catalog: Catalog, event_type: str) -> dict[str, dict[str, Any]]:
    """File name to example of `event_type`."""
    folder = CONTRACTS / "examples" / catalog.event_type(event_type).schema.removesuffix(".json")
    return {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
