"""An exhaustive search: every state that can be reached, the shortest way to a violation, recovery from anywhere.

Any machine will do that has an initial state, steps that it takes by itself, and faults.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["RECOVERY", "Found", "Result", "explore"]

RECOVERY = "recovery"

S = TypeVar("S")


class Machine(Protocol[S]):
    """What is explored. States can be hashed; a step is what happens, in words, and the state after it."""

    def initial(self) -> S: ...

    def canonical(self, state: S) -> S: ...

    def steps(self, state: S) -> Iterator[tuple[str, S]]: ...

    def faults_from(self, state: S) -> Iterator[tuple[str, S]]: ...


Check = Callable[[S, bool], str | None]
"""The name of the invariant that a state violates; the second argument says that the machine takes no step by itself
any more."""


@dataclass(frozen=True)
class Found(Generic[S]):
    """A violated invariant, and the shortest way there: what was done, and the state at the end."""

    invariant: str
    trace: tuple[str, ...]
    state: S


@dataclass(frozen=True)
class Result(Generic[S]):
    """What a search has seen. `settled`: states in which nothing is left to do. `seconds` of the processor."""

    states: int
    steps: int
    settled: int
    seconds: float
    found: Found[S] | None


def explore(machine: Machine[S], check: Check[S]) -> Result[S]:
    """Visit every reachable state, nearest first; stop at the first that violates an invariant.

    When all are seen and none does, check that without a further fault each of them ends in a settled one, in
    whatever order the steps are taken: `recovery` is violated otherwise. Like processes are told apart only in a trace.
    """
    begun = time.process_time()
    first = machine.canonical(machine.initial())
    numbers = {first: 0}
    states = [first]
    parents = array("l", [0])
    sources, targets = array("l"), array("l")
    settled: list[int] = []
    steps = 0

    def result(invariant: str | None = None, number: int = 0) -> Result[S]:
        found = None
        if invariant is not None:
            found = Found(invariant, *_retrace(machine, [states[n] for n in _way_to(number, parents)]))
        return Result(len(states), steps, len(settled), time.process_time() - begun, found)

    def visit(number: int, state: S) -> int:
        after = machine.canonical(state)
        known = numbers.setdefault(after, len(states))
        if known == len(states):
            states.append(after)
            parents.append(number)
        return known

    number = 0
    while number < len(states):
        state = states[number]
        own = [visit(number, after) for _, after in machine.steps(state)]
        for target in own:
            sources.append(number)
            targets.append(target)
        if not own:
            settled.append(number)
        steps += len(own)
        if (invariant := check(state, not own)) is not None:
            return result(invariant, number)
        for _, after in machine.faults_from(state):
            visit(number, after)
            steps += 1
        number += 1
    stuck = _never_settles(settled, sources, targets, len(states))
    return result() if stuck is None else result(RECOVERY, stuck)


def _never_settles(settled: Iterable[int], sources: array[int], targets: array[int], size: int) -> int | None:
    """The first state from which the machine can go on for ever."""
    before: list[list[int]] = [[] for _ in range(size)]
    ways_on = array("l", bytes(array("l").itemsize * size))
    for source, target in zip(sources, targets, strict=True):
        before[target].append(source)
        ways_on[source] += 1
    front = list(settled)
    while front:
        for state in before[front.pop()]:
            ways_on[state] -= 1
            if not ways_on[state]:
                front.append(state)
    return next((state for state in range(size) if ways_on[state]), None)


def _way_to(number: int, parents: array[int]) -> list[int]:
    way = [number]
    while number:
        number = parents[number]
        way.append(number)
    return way[::-1]


def _retrace(machine: Machine[S], way: list[S]) -> tuple[tuple[str, ...], S]:
    """Walk `way` again with processes that keep their names."""
    state = machine.initial()
    trace = []
    for wanted in way[1:]:
        said, state = next(
            (said, after)
            for step in (machine.steps, machine.faults_from)
            for said, after in step(state)
            if machine.canonical(after) == wanted
        )
        trace.append(said)
    return tuple(trace), state
