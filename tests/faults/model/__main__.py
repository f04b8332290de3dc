"""Explore the protocol in full, then show how it breaks when a rule is left out:

    python -m tests.faults.model            # minutes
    python -m tests.faults.model --small    # seconds

Exit status 1 where the protocol breaks a promise, or a broken protocol keeps them all.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from tests.faults.model.cases import EXPECTED, LARGE, SMALL
from tests.faults.model.invariants import violated
from tests.faults.model.protocol import State
from tests.faults.model.search import Result, explore

_SIZES = ("keys", "facts", "relays", "consumers", "partitions", "faults")


def main() -> int:
    """Print a table of what was explored and a trace for each broken rule; the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--small", action="store_true", help="the sizes that the tests explore")
    small = arguments.parse_args().small
    console = Console(width=120)
    right = all([_protocol(console, small), *_mutations(console)])
    console.print("Every promise holds, every broken rule shows." if right else "NOT as expected.")
    return 0 if right else 1


def _protocol(console: Console, small: bool) -> bool:
    table = Table("explored", *_SIZES, "states", "steps", "settled", "s", "violated", title="The protocol")
    right = True
    for name, protocol in SMALL.items() if small else (SMALL | LARGE).items():
        with console.status(f"exploring: {name}"):
            result = explore(protocol, violated)
        table.add_row(name, *(str(getattr(protocol, size)) for size in _SIZES), *_figures(result))
        if result.found is not None:
            right = False
            _tell(console, f"{name}: {result.found.invariant}", result)
    console.print(table)
    return right


def _mutations(console: Console) -> list[bool]:
    outcomes = []
    for mutation, (protocol, expected) in EXPECTED.items():
        result = explore(protocol, violated)
        outcomes.append(result.found is not None and result.found.invariant == expected)
        _tell(console, f"What if {mutation.value}?", result)
    return outcomes


def _figures(result: Result[State]) -> tuple[str, ...]:
    found = "nothing" if result.found is None else result.found.invariant
    return (
        f"{result.states:,}",
        f"{result.steps:,}",
        f"{result.settled:,}",
        f"{result.seconds:.1f}",
        found,
    )


def _tell(console: Console, headline: str, result: Result[State]) -> None:
    console.print(f"\n[bold]{headline}[/bold]")
    if result.found is None:
        console.print("  Nothing was violated.")
        return
    for number, said in enumerate(result.found.trace, start=1):
        console.print(f"  {number:2}  {said}", highlight=False)
    state = result.found.state
    console.print(f"  [red]{result.found.invariant}[/red]: log {state.log}, effects {state.effects}\n")


if __name__ == "__main__":
    sys.exit(main())
