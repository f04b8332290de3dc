"""What was measured: as a table on the terminal, as JSON for programs, and as lines of a history."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["Occasion", "Row", "keep", "show"]

_HERE = Path(__file__).parent
_LATEST = _HERE / "results" / "latest.json"
_HISTORY = _HERE / "RESULTS.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `goal` reads `>= 0.7 of raw` (then `ratio` counts), `>= 3000` or `< 25`; `raw` and `ratio` are None
    where there is no baseline."""

    name: str
    ours: float
    unit: str
    goal: str
    raw: float | None = None
    ratio: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached."""
        sign, number, *rest = self.goal.split()
        figure = self.ratio if rest else self.ours
        assert figure is not None, f"{self.name} has a goal in terms of raw but no ratio"
        return figure >= float(number) if sign == ">=" else figure < float(number)


@dataclass(frozen=True, slots=True)
class Occasion:
    """When something was measured, of which commit (with a plus sign when the code differs from it), and what the
    machine was like just before: how many processes wanted a processor, on average of a minute, and how many
    milliseconds a fixed loop and a page's way to the disk took. What others take from a virtual machine, its load does
    not show."""

    at: datetime
    commit: str
    load: float
    loop_ms: float
    sync_ms: float

    @classmethod
    def now(cls) -> Occasion:
        """This moment, before a measurement."""
        found = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "shared", "services", "deploy", "bench/*.py")
        return cls(
            datetime.now(UTC), f"{found}+" if changed else found, os.getloadavg()[0], _loop_ms(), _sync_ms()
        )


def show(rows: Sequence[Row], console: Console) -> None:
    """Print `rows` as a table."""
    table = Table("name", box=None, pad_edge=False)
    for title in ("ours", "raw", "ratio", "unit", "goal", "met"):
        table.add_column(title, justify="left" if title in ("unit", "goal") else "right")
    for row in rows:
        verdict = "[green]yes" if row.is_met else "[red]no"
        table.add_row(
            row.name, _number(row.ours), _number(row.raw), _ratio(row.ratio), row.unit, row.goal, verdict
        )
    console.print(table)


def keep(rows: Sequence[Row], occasion: Occasion) -> None:
    """Write `rows` to results/latest.json and append them to RESULTS.md, with the occasion."""
    _LATEST.parent.mkdir(exist_ok=True)
    members = ("name", "ours", "raw", "ratio", "unit", "goal")
    shown = [{name: asdict(row)[name] for name in members} for row in rows]
    _LATEST.write_text(json.dumps(shown, indent=2) + "\n")
    machine = f"{occasion.load:.1f} | {occasion.loop_ms:.0f} | {occasion.sync_ms:.2f}"
    stamp = f"{occasion.at:%Y-%m-%d %H:%M} | {occasion.commit} | {machine}"
    with _HISTORY.open("a") as history:
        for row in rows:
            figures = f"{_number(row.ours)} | {_number(row.raw)} | {_ratio(row.ratio)}"
            met = "yes" if row.is_met else "no"
            history.write(f"| {stamp} | {row.name} | {figures} | {row.unit} | {row.goal} | {met} |\n")


def _loop_ms() -> float:
    """The least of five times that a million additions in Python take."""

    def once() -> float:
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        return 1000 * (time.perf_counter() - began)

    return min(once() for _ in range(5))


def _sync_ms() -> float:
    """The time that the disk takes to keep a page, at nine of ten of a hundred tries: a commit waits for it."""
    taken = []
    _LATEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=_LATEST.parent) as file:
        for _ in range(100):
            os.write(file.fileno(), bytes(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    return sorted(taken)[89]


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=_HERE.parent, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or ("unknown" if answer.returncode else "")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
