"""The servers that faults are done to: one lab for all tests of a module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from shared.testing.kafka import skip_without_kafka
from tests.faults.catalogue import chosen
from tests.faults.lab import Lab
from tests.faults.registry import Result, run

SEED = int(os.environ.get("CRM_TEST_SEED", "20"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def holds(lab: Lab) -> Callable[[str, str], Result]:
    """`holds("poison", "kafka")` does the fault, in short, and fails with the checker's report when it turns red."""

    def do(name: str, transport: str) -> Result:
        (fault,) = chosen(name)
        result = run(lab, fault, transport, SEED)
        if result.not_run is not None:
            (skip_without_kafka if transport == "kafka" else pytest.skip)(result.not_run)
        assert not result.red, "\n".join(result.report)
        assert result.verdict.acknowledged > 0
        return result

    return do
