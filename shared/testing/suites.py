"""pytest fixture: whole suites beside whatever else runs on this machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from deploy.local.ports import HTTP, Ports
from deploy.local.problems import LocalProblem, require_free_port
from deploy.local.suite import LocalSuite, choose_services

__all__ = ["free_offset", "make_suite"]


def free_offset() -> int:
    """An offset at which every port of a suite is free now."""
    while True:
        # Above the usual ports, below the range that the system gives to clients (it starts at 32768).
        offset = random.randrange(2_000, 24_000, 1_000) + random.randrange(0, 600, 20)  # noqa: S311 - not a secret
        ports = Ports(offset)
        wanted = [port for port, _ in ports.of_processes(HTTP)]
        try:
            for port in (*wanted, ports.postgres, ports.kafka, ports.kafka + 1):
                require_free_port(port, "a test")
        except LocalProblem:
            continue
        return offset


@pytest.fixture(scope="module")
def make_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LocalSuite]]:
    """``make_suite(only="sales", bus="kafka")`` is a suite in an empty folder on free ports, not yet started.

    It is stopped when the module's tests are done.
    """
    made: list[LocalSuite] = []

    def make(only: str | None = None, bus: str = "postgres") -> LocalSuite:
        home = tmp_path_factory.mktemp("suite")
        suite = LocalSuite(home, free_offset(), bus, services=choose_services(only))
        made.append(suite)
        return suite

    yield make
    for suite in made:
        suite.stop()
