"""pytest fixtures: one real Apache Kafka broker per test run, and brokers that a test may kill.

The broker runs in a container where a Docker engine answers, otherwise from Maven's artifacts on Java 17.
Where neither is possible the tests that need it are skipped, with one loud line at the end of the run; with
``CI`` set in the environment they fail instead.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NoReturn, Protocol

import pytest

from deploy.local.kafka import Broker, broker_libraries
from deploy.local.problems import LocalProblem, free_port
from shared.testing.run_directory import CONTAINERS, once_per_run, run_directory

__all__ = ["BrokerForTests", "kafka_bootstrap", "kafka_topic", "own_kafka", "skip_without_kafka"]

_LOUD = "TESTS SKIPPED: "
_numbers = itertools.count()


class BrokerForTests(Protocol):
    """A broker that a test may break."""

    @property
    def bootstrap(self) -> str:
        """Address that clients start from; the same after a restart."""

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it listens."""

    def stop(self) -> None:
        """Stop it cleanly."""

    def kill(self) -> None:
        """End it as a power cut would; acknowledged records survive."""

    def freeze(self) -> None:
        """Let it hang with its connections open."""

    def thaw(self) -> None:
        """Let a frozen broker go on."""


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """Address of this run's broker. It is shared: use topics of your own, and leave it running."""
    _require_kafka()
    address: str = once_per_run("kafka", _start_shared)
    return address


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[BrokerForTests]:
    """A running broker of this test module's own, to be killed and frozen. Tests leave it running."""
    _require_kafka()
    broker = _broker(f"own-{os.getpid()}-{next(_numbers)}")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def kafka_topic() -> str:
    """A topic name that no other test uses; making the topic is up to the test."""
    return f"crm.test.{uuid.uuid4().hex}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("skipped", [])
    reasons = {report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason for reason in reasons if _LOUD in reason):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), red=True, bold=True)


def _require_kafka() -> None:
    problem = _what_is_missing()
    if problem is not None:
        skip_without_kafka(problem)


def skip_without_kafka(problem: str) -> NoReturn:
    """Skip the test loudly because of ``problem``; on CI, where Kafka has to be there, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"Kafka's tests cannot run: {problem}", pytrace=False)
    pytest.skip(f"KAFKA {_LOUD}{problem} Start a Docker engine, or install Java 17 and Maven.")


@cache
def _what_is_missing() -> str | None:
    if _containers() is not None:
        return None
    try:
        broker_libraries()
    except LocalProblem as problem:
        return str(problem)
    return None


@cache
def _containers() -> ModuleType | None:
    """The module that runs brokers in containers, where there is an engine to run them."""
    containers = import_module("shared.testing.containers")
    return containers if containers.engine_answers() else None


def _start_shared() -> str:
    broker = _broker("shared")
    broker.start()
    return broker.bootstrap


def _broker(name: str) -> BrokerForTests:
    port = free_port(2)  # the controller takes the second
    containers = _containers()
    if containers is None:
        return Broker(run_directory() / f"kafka-{name}", port)
    (run_directory() / CONTAINERS).touch()
    broker: BrokerForTests = containers.ContainerBroker(f"{run_directory().name}-{name}", port)
    return broker
