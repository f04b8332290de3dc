"""Every service in turn, with what the facts it hears make of an empty database, and an administrator."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

import services
import shared.contracts
from shared.contracts.catalog import Catalog
from shared.service import Service
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
SERVICES = sorted(path.parent.name for path in Path(services.__path__[0]).glob("*/wiring.py"))


@dataclass(frozen=True)
class Api:
    """A running service, and the headers of an administrator who has just confirmed his second factor."""

    service: RunningService
    admin: dict[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """Its OpenAPI document."""
        found: dict[str, Any] = self.service.client.get("/openapi.json").json
        return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`service_name` in a test's arguments means: for each service."""
    if "service_name" in metafunc.fixturenames:
        metafunc.parametrize("service_name", SERVICES, scope="module")


def facts_for(service: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Type, subject and data of one example of every fact that `service` hears."""
    catalog = Catalog.load()
    for topic in catalog.topics.values():
        for kind in topic.types:
            if kind.type in topic.consumers.get(service, ()):
                folder = EXAMPLES / kind.schema.removesuffix(".json")
                data = orjson.loads(min(folder.glob("*.json")).read_bytes())
                yield kind.type, data.get(f"{topic.aggregate}_id", data[topic.key]), data


@pytest.fixture
def api(running_service: Callable[..., RunningService], service_name: str) -> Api:
    service: Service = importlib.import_module(f"services.{service_name}.wiring").SERVICE
    running = running_service(service)
    if service.first_run is not None:
        service.first_run(running.runtime)
    running.fire_timers()
    for version, (event_type, subject, data) in enumerate(facts_for(service_name), start=1):
        running.deliver(event_type, data, subject=subject, version=version)
    return Api(running, bearer(permissions={"*": "all"}, mfa_at=int(time.time())))


@pytest.fixture
def empty_api(running_service: Callable[..., RunningService], service_name: str) -> Api:
    """A service that has heard nothing."""
    service: Service = importlib.import_module(f"services.{service_name}.wiring").SERVICE
    return Api(running_service(service), bearer(permissions={"*": "all"}, mfa_at=int(time.time())))
