"""What runs now: ``.crm/run.json``, written by the supervisor at every change, read by everyone else."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from deploy.local.processes import is_running


@dataclass(frozen=True)
class ProcessRecord:
    """One process of a service. ``created`` tells it from a later process with the same id."""

    service: str
    role: str
    pid: int
    created: float
    restarts: int = 0

    def process(self) -> psutil.Process | None:
        """The live process, or None when it has ended."""
        return _alive(self.pid, self.created)

    def send(self, number: signal.Signals) -> None:
        """Signal the process; a signal that it cannot handle goes to its helpers too."""
        if self.process() is None:
            return
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(self.pid, number)
        else:
            os.killpg(self.pid, number)


@dataclass(frozen=True)
class RunRecord:
    """A running suite. ``state`` is ``starting``, ``ready`` or ``stopping``."""

    pid: int
    created: float
    state: str
    bus: str
    port_offset: int
    kafka_bootstrap: str | None = None
    services: tuple[str, ...] = ()
    processes: tuple[ProcessRecord, ...] = ()

    @classmethod
    def read(cls, path: Path) -> RunRecord | None:
        """The record at ``path``, or None when no suite was ever started there (or was stopped cleanly)."""
        if not path.exists():
            return None
        values = json.loads(path.read_text())
        values["services"] = tuple(values["services"])
        values["processes"] = tuple(ProcessRecord(**known) for known in values["processes"])
        return cls(**values)

    def write(self, path: Path) -> None:
        """Replace the record at ``path`` at once: a reader never sees half of it."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(asdict(self), indent=2))
        fresh.rename(path)

    def supervisor(self) -> psutil.Process | None:
        """The live supervisor, or None when it has ended (killed, for a clean end deletes the record)."""
        return _alive(self.pid, self.created)

    def find(self, service: str, role: str) -> ProcessRecord | None:
        """The record of one process."""
        return next((p for p in self.processes if (p.service, p.role) == (service, role)), None)

    def with_process(self, process: ProcessRecord) -> RunRecord:
        """The record with ``process`` in place of an earlier one of that service and role."""
        others = [p for p in self.processes if (p.service, p.role) != (process.service, process.role)]
        return replace(self, processes=(*others, process))


def _alive(pid: int, created: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if not is_running(process) or abs(process.create_time() - created) > 0.5:
            return None
    except psutil.NoSuchProcess:
        return None
    return process
