"""`python -m bench [NAME...]`: measure, print a table, write results/latest.json and append to RESULTS.md.

What grows with processes and partitions takes minutes and is measured only by name: `python -m bench scale`, or one of
its parts. It goes to results/scale.json and docs/scaling_figures.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import click
from rich.console import Console

from bench import bus, footprint, scale_page, throughput
from bench.results import Occasion, Row, keep, show
from bench.suites import clear_home
from deploy.local.problems import LocalProblem

_GROUPS: Mapping[tuple[str, ...], Callable[[Sequence[str]], Iterator[Row]]] = {
    tuple(throughput.MEASURES): throughput.measure,
    tuple(bus.MEASURES): bus.measure,
    tuple(footprint.MEASURES): footprint.measure,
}
_NAMES = tuple(name for names in _GROUPS for name in names)
_SCALE = "scale"


@click.command()
@click.argument(
    "names", nargs=-1, type=click.Choice((*_NAMES, _SCALE, *scale_page.PARTS)), metavar="[NAME]..."
)
@click.option("--keep/--no-keep", "keeping", default=True, help="Write the results to files.")
def main(names: tuple[str, ...], keeping: bool) -> None:
    """Measure everything but scaling, or what is named."""
    console = Console(highlight=False, soft_wrap=True)
    problems: list[str] = []
    try:
        for name in scale_page.PARTS:
            if name in names or _SCALE in names:
                _measure_scaling(name, console, keeping)
        chosen = [name for name in _NAMES if not names or name in names]
        if chosen:
            problems = _measure_rows(chosen, console, keeping)
    finally:
        clear_home()
    if problems:
        raise click.ClickException(" ".join(problems))


def _measure_rows(names: Sequence[str], console: Console, keeping: bool) -> list[str]:
    """Measure, show and keep rows; what went wrong meanwhile."""
    rows: list[Row] = []
    problems = []
    occasion = Occasion.now()
    for known, measure in _GROUPS.items():
        chosen = [name for name in known if name in names]
        try:
            for row in measure(chosen) if chosen else ():
                console.print(f"[dim]{row.name}: {row.ours:.1f} {row.unit}")
                rows.append(row)
        except LocalProblem as problem:
            # What the other groups have measured is worth keeping.
            problems.append(str(problem))
    show(rows, console)
    if keeping:
        keep(rows, occasion)
    return problems


def _measure_scaling(name: str, console: Console, keeping: bool) -> None:
    occasion = Occasion.now()
    rows = scale_page.PARTS[name](lambda line: console.print(f"[dim]{line}"))
    if keeping and scale_page.keep(name, rows, occasion):
        console.print("docs/scaling_figures.md is written anew.")


main.help = f"{main.help} Names: {', '.join((*_NAMES, _SCALE, *scale_page.PARTS))}."

if __name__ == "__main__":
    main()
