"""`python -m tests.faults`: do every fault, tell what came of it, and write it down.

Ends with 1 when something that was promised did not hold, or a mutant was not caught.
"""

from __future__ import annotations

import random
import signal
import sys

import click
from rich.console import Console

from tests.faults import results
from tests.faults.catalogue import chosen
from tests.faults.lab import Lab
from tests.faults.mutants import MUTANTS, run_mutant
from tests.faults.registry import BOTH, Fault, Result, run

_console = Console()


@click.command()
@click.option("--fault", "names", default="", help="Names or numbers, separated by commas; all without it.")
@click.option(
    "--transport", type=click.Choice(["", *BOTH]), default="", help="One of the two; both without it."
)
@click.option("--seeds", type=click.IntRange(1), default=1, help="How many seeds each fault is done with.")
@click.option("--seed", type=int, help="The first seed; without it, one is drawn.")
@click.option(
    "--short", is_flag=True, help="Outages of seconds instead of a minute, as `make test` does them."
)
@click.option("--mutants/--no-mutants", default=True, help="Show as well that broken code is noticed.")
@click.option("--write", is_flag=True, help="Write the results to docs/proof/RESULTS.md.")
def main(
    names: str, transport: str, seeds: int, seed: int | None, short: bool, mutants: bool, write: bool
) -> None:
    """Do faults to running processes and check that nothing is lost, invented, done twice or out of order."""
    try:
        faults = chosen(names)
    except KeyError as error:
        raise click.BadParameter(str(error.args[0])) from error
    # What was started is ended, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    first = seed if seed is not None else random.SystemRandom().randrange(1_000_000)
    _console.print(f"The first seed is {first}.")
    done, caught = [], []
    with Lab() as lab:
        for each in faults:
            for on in [t for t in each.transports if transport in ("", t)]:
                done += [_do(lab, each, on, number, long=not short) for number in range(first, first + seeds)]
        if mutants and not names:
            for mutant in MUTANTS:
                caught.append(run_mutant(lab, mutant, first))
                _console.print(results.mutant_line(caught[-1]))
    _console.print(results.table(done))
    if write:
        results.write(done, caught)
    sys.exit(any(result.red for result in done) or not all(each.is_caught for each in caught))


def _do(lab: Lab, fault: Fault, transport: str, seed: int, *, long: bool) -> Result:
    result = run(lab, fault, transport, seed, long=long)
    _console.print(results.line(result))
    for line in result.report:
        _console.print(f"    {line}", style="red", markup=False)
    return result


main()
