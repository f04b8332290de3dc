"""Faults on a real Apache Kafka that take seconds; `make faults` does all of them, and at full length."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.registry import Result

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    "name",
    [
        "kill-relay-R1",
        "kill-relay-R2",
        "kill-ingest-I2",
        "broker-down",
        "broker-frozen",
        "answers-lost-for-a-moment",
        "whole-topic-replayed",
        "poison",
    ],
)
def test_nothing_is_lost_invented_done_twice_or_out_of_order(
    holds: Callable[[str, str], Result], name: str
) -> None:
    holds(name, "kafka")
