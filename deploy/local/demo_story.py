"""The demo as it is told: lines on the terminal, and the same steps in a file that the start page shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from deploy.local.demo_chain import Chain, Fact
from deploy.local.problems import LocalProblem

__all__ = ["Chapter", "Story"]

Result = TypeVar("Result")

_COLOURS = {
    "marketing": "magenta",
    "sales": "blue",
    "support": "green",
    "fieldservice": "yellow",
    "erp": "red",
    "analytics": "cyan",
}
_POLL_SECONDS = 0.05
_TELL_SECONDS = 0.4


class Chapter:
    """One part of the demo: what people did, and the facts of its chain with their effects."""

    def __init__(self, story: Story, title: str) -> None:
        self.title = title
        self.chain: Chain | None = None
        self._story = story
        self._steps: list[dict[str, Any]] = []
        self._facts: list[Fact] = []
        self._told: set[str] = set()
        self._seen: set[str] = set()
        self._told_at = 0.0

    def did(self, words: str, act: Callable[..., Result], service: str, *given: Any, **named: Any) -> Result:
        """Do something at `service`, `act(service, ...)`, and tell it with the milliseconds until the answer."""
        at, began = datetime.now(UTC), time.perf_counter()
        result = act(service, *given, **named)
        self.note(service, words, at=at, ms=round((time.perf_counter() - began) * 1000, 1))
        return result

    def note(
        self,
        service: str,
        words: str,
        *,
        kind: str = "deed",
        at: datetime | None = None,
        ms: float | None = None,
    ) -> None:
        """Tell something. `kind`: deed, state, fault or proof."""
        step = {"at": (at or datetime.now(UTC)).isoformat(), "kind": kind, "service": service, "text": words}
        self._steps.append(step | {"ms": ms, "effects": []})
        self._story.line(service, words, kind, "" if ms is None else f"{ms:.0f} ms")
        self._story.save()

    def until(
        self,
        what: str,
        read: Callable[[], Result],
        is_so: Callable[[Result], object],
        *,
        seconds: float = 20.0,
    ) -> Result:
        """Read until `is_so`, and tell the chain's facts meanwhile. Raises LocalProblem when it takes too long."""
        deadline = time.monotonic() + seconds
        while not is_so(result := read()):
            if time.monotonic() > deadline:
                troubles = self.chain.troubles() if self.chain else []
                why = troubles[0] if troubles else f"what is there is {result}"
                raise LocalProblem(f"{what} did not come within {seconds:.0f} s: {why}.")
            if time.monotonic() - self._told_at > _TELL_SECONDS:
                self.tell_facts()
            time.sleep(_POLL_SECONDS)
        self.tell_facts()
        return result

    def follow(self, chain: Chain) -> None:
        """Tell the facts of `chain` from now on."""
        self.chain = chain

    def tell_facts(self, *, everything: bool = False) -> list[Fact]:
        """Tell the facts that came to rest since the last time; with `everything`, wait for the last of them."""
        if self.chain is None:
            return []
        deadline = time.monotonic() + 20.0
        while True:
            self._facts = self.chain.facts()
            for fact in self._facts:
                # One look later every hearer of a settled fact is known: the archive is not always the last.
                if fact.id not in self._told and fact.is_settled and fact.id in self._seen:
                    self._told.add(fact.id)
                    effects = " · ".join(f"{effect.service} {effect.ms:.0f}" for effect in fact.effects)
                    self._story.line(fact.service, fact.words, "fact", f"{effects} ms")
            self._seen |= {fact.id for fact in self._facts}
            self._told_at = time.monotonic()
            self._story.save()
            if not everything or self._told == self._seen:
                return self._facts
            if time.monotonic() > deadline:
                waiting = ", ".join(fact.type for fact in self._facts if not fact.is_settled)
                raise LocalProblem(f"Some facts were not heard by everybody within 20 s: {waiting}.")
            time.sleep(_POLL_SECONDS)

    def to_data(self) -> dict[str, Any]:
        """The chapter for the start page: its steps in the order of time."""
        facts = [
            {
                "at": fact.at.isoformat(),
                "kind": "fact",
                "service": fact.service,
                "text": fact.words,
                "ms": None,
                "effects": [{"service": effect.service, "ms": effect.ms} for effect in fact.effects],
            }
            for fact in self._facts
        ]
        return {
            "title": self.title,
            "correlation_id": self.chain.correlation_id if self.chain else None,
            "steps": sorted([*self._steps, *facts], key=lambda step: datetime.fromisoformat(step["at"])),
        }


class Story:
    """Everything the demo tells, printed to `console` and kept in `path`."""

    def __init__(self, path: Path, bus: str, console: Console) -> None:
        self._path = path
        self._console = console
        self._chapters: list[Chapter] = []
        self._about = {"bus": bus, "state": "running", "started_at": datetime.now(UTC).isoformat()}
        self._outcome: dict[str, Any] = {"finished_at": None, "problem": None, "result": None}

    def chapter(self, title: str) -> Chapter:
        """Begin the next chapter."""
        chapter = Chapter(self, title)
        self._chapters.append(chapter)
        self._console.print()
        self._console.rule(Text(f"{len(self._chapters)}  {title}", style="bold"), align="left", style="dim")
        self.save()
        return chapter

    def line(self, service: str, words: str, kind: str, remark: str) -> None:
        """Print one line: who, what, and on the right how long."""
        mark = {"deed": "●", "fact": "  ·", "state": "  =", "fault": "✗", "proof": "✓"}[kind]
        colour = _COLOURS.get(service, "white")
        left = Text.assemble((f"{service:<13}", colour), f"{mark} {words}")
        left.stylize({"deed": "bold", "fault": "bold red", "proof": "bold green"}.get(kind, "default"), 13)
        self._console.print(left.append(f"   {remark}" if remark else "", style="dim"))

    def end(self, result: dict[str, Any] | None, problem: str | None = None) -> None:
        """The demo is over, well or not."""
        self._about["state"] = "done" if problem is None else "failed"
        self._outcome = {"finished_at": datetime.now(UTC).isoformat(), "problem": problem, "result": result}
        self.save()

    def save(self) -> None:
        """Replace the file at once: a reader never sees half of it."""
        chapters = [chapter.to_data() for chapter in self._chapters]
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(json.dumps({**self._about, **self._outcome, "chapters": chapters}))
        fresh.rename(self._path)
