"""The protocol keeps its promises in every state that small sizes can reach; without one of its rules it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.model.cases import EXPECTED, SMALL
from tests.faults.model.invariants import violated
from tests.faults.model.protocol import Mutation, Protocol, Relay, State
from tests.faults.model.search import RECOVERY, Found, explore


def found(protocol: Protocol) -> Found[State]:
    violation = explore(protocol, violated).found
    assert violation is not None
    return violation


@pytest.mark.parametrize("name", SMALL)
def test_no_reachable_state_breaks_a_promise(name: str) -> None:
    result = explore(SMALL[name], violated)
    assert result.found is None
    assert result.settled > 0


@pytest.mark.parametrize("mutation", Mutation)
def test_each_rule_left_out_breaks_the_promise_it_keeps(mutation: Mutation) -> None:
    protocol, expected = EXPECTED[mutation]
    assert found(protocol).invariant == expected


def test_the_same_sizes_without_a_mutation_break_nothing() -> None:
    for protocol, _ in EXPECTED.values():
        whole = Protocol(keys=protocol.keys, facts=protocol.facts, faults=protocol.faults)
        assert explore(whole, violated).found is None


def test_a_trace_tells_the_shortest_way_and_keeps_its_processes_apart() -> None:
    protocol, _ = EXPECTED[Mutation.SKIP_LOCKED_RELAY]
    assert found(protocol).trace == (
        "the writer inserts a1 into the outbox",
        "the writer commits a1",
        "the writer inserts a2 into the outbox",
        "the writer commits a2",
        "relay 1 takes a1 and sends a1",
        "relay 2 takes a2 and sends a2",
        "the broker appends a2 and acknowledges it to relay 2",
    )


def test_two_leaders_for_a_moment_send_twice_and_no_more() -> None:
    """The lead is lost with the session, the relay goes on with what it has; the first occurrences keep their order."""
    seen: list[State] = []

    def watch(state: State, settled: bool) -> str | None:
        if sum(map(bool, state.relays)) == 2 and any(len(log) > len(set(log)) for log in state.log):
            seen.append(state)
        return violated(state, settled)

    assert explore(Protocol(keys=1, facts=2, consumers=0, faults=1), watch).found is None
    assert {relay.session for state in seen for relay in state.relays if isinstance(relay, Relay)} == {
        "leads",
        "lost",
    }


class _Circle:
    """A machine that may go round for ever after a fault."""

    def initial(self) -> int:
        return 0

    def canonical(self, state: int) -> int:
        return state

    def steps(self, state: int) -> Iterator[tuple[str, int]]:
        yield from {0: [("end", 1)], 2: [("go on", 3), ("end", 1)], 3: [("go back", 2)]}.get(state, [])

    def faults_from(self, state: int) -> Iterator[tuple[str, int]]:
        if state == 0:
            yield "fault", 2


def test_a_machine_that_may_never_settle_does_not_recover() -> None:
    result = explore(_Circle(), lambda state, settled: None)
    assert (result.states, result.steps, result.settled) == (4, 5, 1)
    assert result.found == Found(RECOVERY, ("fault",), 2)
