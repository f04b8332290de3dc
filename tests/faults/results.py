"""What came of a run, as a table on the terminal and as docs/proof/RESULTS.md."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import psutil
from rich.table import Table

from deploy.local.suite import ROOT
from tests.faults.mutants import Caught
from tests.faults.registry import Result

__all__ = ["FILE", "line", "mutant_line", "table", "write"]

FILE = ROOT / "docs" / "proof" / "RESULTS.md"
_COLUMNS = (
    "no.",
    "fault",
    "transport",
    "acknowledged",
    "lost",
    "ghosts",
    "double effects",
    "out of order",
    "sent twice",
    "longest recovery s",
    "seeds",
    "result",
)


def line(result: Result) -> str:
    """One result in one line."""
    verdict = result.verdict
    if result.not_run is not None:
        return f"{result.fault.name} on {result.transport}: not run, {result.not_run}"
    return (
        f"{result.fault.name} on {result.transport}, seed {result.seed}: {verdict.acknowledged} acknowledged,"
        f" {verdict.unknown} unknown, {verdict.facts} facts, {verdict.repeats} sent twice,"
        f" recovered in {result.recovery:.1f} s, {'RED' if result.red else 'green'} after {result.seconds:.0f} s"
    )


def mutant_line(caught: Caught) -> str:
    """What became of one mutant, in one line."""
    return f"mutant {caught.mutant.name}: {caught.how}"


def table(results: Sequence[Result]) -> Table:
    """The results as a table for the terminal."""
    made = Table(*_COLUMNS)
    for row in _rows(results):
        made.add_row(*row)
    return made


def write(results: Sequence[Result], mutants: Sequence[Caught]) -> None:
    """Write the results to docs/proof/RESULTS.md, with the commit and the machine."""
    FILE.write_text("\n".join(_document(results, mutants)) + "\n")


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """One row a fault and transport: what all its seeds gave together."""
    for (fault, transport), group in groupby(results, key=lambda r: (r.fault, r.transport)):
        several = list(group)
        verdicts = [result.verdict for result in several]
        why = next((result.not_run for result in several if result.not_run is not None), None)
        if why is not None:
            yield (str(fault.number), fault.name, transport, *["-"] * 8, f"not run: {why}")
            continue
        red = [result for result in several if result.red]
        counts = [
            sum(v.acknowledged for v in verdicts),
            *(
                sum(len(getattr(v, name)) for v in verdicts)
                for name in ("lost", "ghosts", "doubles", "disorder")
            ),
            sum(v.repeats for v in verdicts),
        ]
        yield (
            str(fault.number),
            fault.name,
            transport,
            *map(str, counts),
            f"{max(result.recovery for result in several):.1f}",
            _span([result.seed for result in several]),
            "; ".join(f"{name} (seed {each.seed})" for each in red for name in each.caught_by)
            or "as promised",
        )


def _span(seeds: list[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def _document(results: Sequence[Result], mutants: Sequence[Caught]) -> Iterator[str]:
    yield "# What came of the faults"
    yield ""
    yield f"Written by `make faults` on {datetime.now(UTC):%Y-%m-%d} at commit {_commit()}, on {_machine()}."
    yield "What the columns mean stands in [README.md](README.md)."
    yield ""
    yield from _markdown(_COLUMNS, _rows(results))
    yield ""
    yield "What each fault does:"
    yield ""
    for fault in dict.fromkeys(result.fault for result in results):
        yield f"- `{fault.name}` ({fault.number}): {fault.says}"
    if mutants:
        yield ""
        yield "## Mutants: code that breaks the promise, and what noticed"
        yield ""
        rows = [
            (each.mutant.name, each.mutant.says, each.fault, each.transport, each.how) for each in mutants
        ]
        yield from _markdown(("mutant", "what is broken", "fault", "transport", "outcome"), rows)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _commit() -> str:
    def git(*arguments: str) -> str:
        asked = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return asked.stdout.strip()

    changed = (
        " with changes that are not committed" if git("status", "--porcelain", "--untracked-files=no") else ""
    )
    return f"{git('rev-parse', '--short=12', 'HEAD') or 'unknown'}{changed}"


def _machine() -> str:
    model = next(
        (each.split(":")[1].strip() for each in _cpuinfo() if each.startswith("model name")),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
