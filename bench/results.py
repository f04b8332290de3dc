"""What was measured: as a table on the terminal, as JSON for programs, and as lines of a history."""

from __future__ import annotations

import json
import os
import subprocess
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
    """When something was measured, of which commit (with a plus sign when the code differs from it), and how many
    processes wanted a processor before, on average of a minute."""

    at: datetime
    commit: str
    load: float

    @classmethod
    def now(cls) -> Occasion:
        """This moment, before a measurement."""
        found = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "shared", "services", "deploy", "bench/*.py")
        return cls(datetime.now(UTC), f"{found}+" if changed else found, os.getloadavg()[0])


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
    stamp = f"{occasion.at:%Y-%m-%d %H:%M} | {occasion.commit} | {occasion.load:.1f}"
    with _HISTORY.open("a") as history:
        for row in rows:
            figures = f"{_number(row.ours)} | {_number(row.raw)} | {_ratio(row.ratio)}"
            met = "yes" if row.is_met else "no"
            history.write(f"| {stamp} | {row.name} | {figures} | {row.unit} | {row.goal} | {met} |\n")


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
