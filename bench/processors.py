"""How many processors each kind of process keeps busy while something is measured: that is where the knees come from.

A Python process has one interpreter, so it can keep one processor busy and no more, however many threads it has; the
same is true of one PostgreSQL backend.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import psutil

__all__ = ["Meter", "Share", "Usage"]

_SERVER = "PostgreSQL, common"
_TITLE = "postgres:"


@dataclass(frozen=True, slots=True)
class Share:
    """Processors that a kind of process kept busy on average: all of its processes, and the busiest of them."""

    total: float
    busiest: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Who kept processors busy for `seconds`; `elsewhere` is everything else on the machine, the bench among it."""

    seconds: float
    shares: Mapping[str, Share]
    elsewhere: float


class Meter:
    """Measures from the beginning of its block to the end.

    `kinds`: process ids by kind; their children count with them. `databases`: by the name of a database of the
    PostgreSQL server with the process id `postmaster`, the kind that its backends are counted as.
    """

    def __init__(
        self, kinds: Mapping[str, Iterable[int]], postmaster: int, databases: Mapping[str, str]
    ) -> None:
        self._kinds = {kind: list(pids) for kind, pids in kinds.items()}
        self._postmaster = postmaster
        self._databases = databases

    def __enter__(self) -> Self:
        self._machine = _machine_seconds()
        self._before = self._seconds()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        elapsed = time.perf_counter() - self._began
        after = self._seconds()
        machine = (_machine_seconds() - self._machine) / elapsed
        shares = {}
        for kind, by_pid in after.items():
            before = self._before.get(kind, {})
            busy = [(seconds - before.get(pid, 0.0)) / elapsed for pid, seconds in by_pid.items()]
            shares[kind] = Share(sum(busy), max(busy))
        known = sum(share.total for share in shares.values())
        self.usage = Usage(elapsed, shares, max(0.0, machine - known))

    def _seconds(self) -> dict[str, dict[int, float]]:
        """By kind and process id: seconds of a processor since the process began."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for kind, pids in self._kinds.items():
            for pid in pids:
                leader = psutil.Process(pid)
                for process in (leader, *leader.children(recursive=True)):
                    _note(found[kind], process)
        for backend in psutil.Process(self._postmaster).children():
            _note(found[self._kind_of(backend)], backend)
        return found

    def _kind_of(self, backend: psutil.Process) -> str:
        """By its title, `postgres: ROLE DATABASE ADDRESS STATE`."""
        try:
            words = " ".join(backend.cmdline()).split()
        except psutil.NoSuchProcess:
            words = []
        database = words[2] if len(words) > 2 and words[0] == _TITLE else ""
        return self._databases.get(database, _SERVER)


def _note(found: dict[int, float], process: psutil.Process) -> None:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return
    found[process.pid] = times.user + times.system


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
