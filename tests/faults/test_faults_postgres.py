"""Faults on the embedded bus that take seconds; `make faults` does all of them, and at full length."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.conftest import SEED
from tests.faults.lab import Lab
from tests.faults.mutants import MUTANTS, run_mutant
from tests.faults.registry import Result


@pytest.mark.parametrize(
    "name",
    [
        "kill-writer-W1",
        "kill-writer-W2",
        "kill-writer-W3",
        "kill-relay-R1",
        "kill-relay-R2",
        "kill-ingest-I1",
        "kill-ingest-I2",
        "kill-worker-H1",
        "kill-worker-H2",
        "kill-worker-H3",
        "broker-refuses",
        "answers-lost",
        "postgres-immediate-restart",
        "relay-session-cut",
        "whole-topic-replayed",
        "poison",
        "one-key-fails",
        "long-transaction",
        "hundred-writers",
        "rolling-restart",
    ],
)
def test_nothing_is_lost_invented_done_twice_or_out_of_order(
    holds: Callable[[str, str], Result], name: str
) -> None:
    holds(name, "postgres")


def test_a_handler_outside_of_the_transaction_is_noticed(lab: Lab) -> None:
    (mutant,) = [each for each in MUTANTS if each.name == "handler-outside"]
    assert run_mutant(lab, mutant, SEED).checks[0] == "effect once"
