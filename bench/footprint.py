"""What the suite takes of a machine: memory after the demo, and the time from a fresh clone to the end of the demo."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench.results import Row
from bench.suites import PORTS, fresh_folder, running_suite
from deploy.local.demo import run_demo
from deploy.local.problems import LocalProblem
from deploy.local.run_record import RunRecord
from deploy.local.suite import ROOT

__all__ = ["MEASURES", "measure"]

_MEGABYTE = 2**20
_SETTLED_SECONDS = 5.0
_LONGEST_SECONDS = 600.0
# Packages are kept here between installations.
_CACHE = "UV_CACHE_DIR"


def measure(names: Sequence[str]) -> Iterator[Row]:
    """Measure the rows with these names."""
    for name in names:
        yield from MEASURES[name]()


def _memory() -> Iterator[Row]:
    """Of all processes of the suite, PostgreSQL and the supervisor among them, a few seconds after the demo."""
    with running_suite("memory") as suite:
        run_demo(suite, Console(file=io.StringIO()))
        time.sleep(_SETTLED_SECONDS)
        used = suite.memory()
        services = {name: used[name] for name in suite.services}
    yield Row("memory_suite", sum(used.values()) / _MEGABYTE, "MB", "< 1200")
    yield Row("memory_largest_service", max(services.values()) / _MEGABYTE, "MB", "< 130")


def _first_use() -> Iterator[Row]:
    """Clone, `make run`, `make demo`: with the packages in the installer's cache, and with an empty cache."""
    yield Row("first_use_cached", _first_use_seconds({}), "s", "< 30")
    cache = fresh_folder("empty-cache")
    yield Row("first_use_not_cached", _first_use_seconds({_CACHE: str(cache)}), "s", "< 60")


MEASURES: Mapping[str, Callable[[], Iterator[Row]]] = {"memory": _memory, "first_use": _first_use}
"""By name: what measures it."""


def _first_use_seconds(variables: Mapping[str, str]) -> float:
    folder = fresh_folder("first-use")
    clone, log = folder / "clone", folder / "make.log"
    # Nothing of the environment this runs in may help or hinder a newcomer.
    inherited = {
        name: os.environ[name] for name in os.environ if not name.startswith(("CRM_", "VIRTUAL_ENV"))
    }
    environment = {**inherited, **variables}
    began = time.monotonic()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True, env=environment)
    with log.open("wb") as output:
        run = subprocess.Popen(
            ["make", "run", f"PORTS={PORTS}"],
            cwd=clone,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_ready(run, clone, log)
            demo = subprocess.run(
                ["make", "demo"], cwd=clone, env=environment, stdout=output, stderr=output, check=False
            )
            seconds = time.monotonic() - began
        finally:
            os.killpg(run.pid, signal.SIGINT)
            run.wait(_LONGEST_SECONDS)
    if demo.returncode != 0:
        raise LocalProblem(f"The demo in a fresh clone failed: {_last_words(log)}")
    shutil.rmtree(folder)
    return seconds


def _wait_until_ready(run: subprocess.Popen[bytes], clone: Path, log: Path) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        record = RunRecord.read(clone / ".crm" / "run.json")
        if record is not None and record.state == "ready":
            return
        if run.poll() is not None or time.monotonic() > deadline:
            raise LocalProblem(f"`make run` in a fresh clone failed: {_last_words(log)}")
        time.sleep(0.1)


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    # make itself has the last word, which tells nothing.
    telling = [line for line in lines if line and not line.startswith("make")]
    return telling[-1] if telling else "it said nothing"
