"""`python -m bench [NAME...]`: measure, print a table, write results/latest.json and append to RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import click
from rich.console import Console

from bench import bus, footprint, throughput
from bench.results import Occasion, Row, keep, show
from bench.suites import clear_home
from deploy.local.problems import LocalProblem

_GROUPS: Mapping[tuple[str, ...], Callable[[Sequence[str]], Iterator[Row]]] = {
    tuple(throughput.MEASURES): throughput.measure,
    tuple(bus.MEASURES): bus.measure,
    tuple(footprint.MEASURES): footprint.measure,
}
_NAMES = tuple(name for names in _GROUPS for name in names)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(_NAMES), metavar="[NAME]...")
@click.option("--keep/--no-keep", "keeping", default=True, help="Write the results to files.")
def main(names: tuple[str, ...], keeping: bool) -> None:
    """Measure everything, or what is named."""
    console = Console(highlight=False, soft_wrap=True)
    rows: list[Row] = []
    problems: list[str] = []
    occasion = Occasion.now()
    try:
        for known, measure in _GROUPS.items():
            chosen = [name for name in known if not names or name in names]
            try:
                for row in measure(chosen) if chosen else ():
                    console.print(f"[dim]{row.name}: {row.ours:.1f} {row.unit}")
                    rows.append(row)
            except LocalProblem as problem:
                # What the other groups have measured is worth keeping.
                problems.append(str(problem))
    finally:
        clear_home()
    show(rows, console)
    if keeping:
        keep(rows, occasion)
    if problems:
        raise click.ClickException(" ".join(problems))


main.help = f"{main.help} Names: {', '.join(_NAMES)}."

if __name__ == "__main__":
    main()
