"""Suites to measure: real processes on a data folder and ports of their own, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import httpx
import psycopg

from bench import raw
from bench.samples import deals
from deploy.local.problems import LocalProblem, free_port
from deploy.local.processes import wait_until_gone
from deploy.local.suite import ROOT, LocalSuite, choose_services
from shared.kernel.cause import Cause, caused_by
from shared.kernel.ids import new_id
from shared.service import Runtime

__all__ = [
    "PORTS",
    "WEB_WORKERS",
    "acting",
    "as_service",
    "clear_home",
    "fresh_folder",
    "more_processes",
    "raw_server",
    "resting",
    "running_suite",
]

HOME = ROOT / ".crm" / "bench"
"""Beside the suite's own data, so that it is on a disk and not in memory."""
PORTS = 4000
"""All ports are moved up by this, so that a running suite is not in the way."""
RAW_PORT = 12190

WEB_WORKERS, WEB_THREADS = 2, 8
_START_SECONDS = 30.0
_REPLICA_SECONDS = 120.0
_RAW_DATABASE = "bench_raw"
# As many requests as the clients can send: what is measured is the work, not the limit on it.
_UNLIMITED = {"CRM_RATE_LIMIT": "1000000/second", "CRM_PUBLIC_RATE_LIMIT": "1000000/second"}
_QUIET = {**_UNLIMITED, "CRM_LOG_LEVEL": "warning"}


@contextmanager
def running_suite(
    name: str,
    services: str | None = None,
    *,
    bus: str = "postgres",
    workers: int = 1,
) -> Iterator[LocalSuite]:
    """A new, seeded suite in `HOME/name` of all services or of those named (`"sales,erp"`), ready to work.

    Raises LocalProblem when it does not start.
    """
    home = HOME / name
    suite = LocalSuite(home, PORTS, bus, None, choose_services(services))
    suite.stop()
    shutil.rmtree(home, ignore_errors=True)
    try:
        with _environment({**_QUIET, "CRM_WEB_WORKERS": str(workers)}):
            suite.start()
        yield suite
    finally:
        suite.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def raw_server(suite: LocalSuite, rows: int) -> Iterator[int]:
    """The baseline under gunicorn, on the PostgreSQL server of `suite`, holding `rows` deals; its port."""
    with psycopg.connect(suite.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{_RAW_DATABASE}"')
    url = suite.postgres.url(_RAW_DATABASE)
    raw.prepare(url, (deal.columns() for deal in deals(rows)))
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{RAW_PORT}", "--log-level", "warning"]
    command += ["--worker-class", "gthread", "--threads", str(WEB_THREADS), "--workers", str(WEB_WORKERS)]
    command += ["--keep-alive", "65", "--no-control-socket", "bench.raw:make_app()"]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, raw.URL: url})
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{RAW_PORT}/opportunities?stage=none&status=open")
        yield RAW_PORT
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(_START_SECONDS)


@dataclass(frozen=True, slots=True)
class Started:
    """A process beside those of a suite; `port` is where it answers `/readyz`."""

    pid: int
    port: int


@contextmanager
def more_processes(
    suite: LocalSuite, service: str, role: str, count: int = 1, **settings: str
) -> Iterator[list[Started]]:
    """`count` more processes of `service` beside that of `suite`, as further replicas would be, ready to work.

    Raises httpx.HTTPError when one does not get ready.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(_replica(suite, service, role, settings)) for _ in range(count)]
        for process in started:
            _wait_until_it_answers(f"http://127.0.0.1:{process.port}/readyz", _REPLICA_SECONDS)
        yield started


@contextmanager
def _replica(suite: LocalSuite, service: str, role: str, settings: Mapping[str, str]) -> Iterator[Started]:
    http, health = free_port(), free_port()
    ports = {"CRM_PORT": str(http), "CRM_HEALTH_PORT": str(health)}
    with suite.log(service, f"{role}-{health}").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}", role],
            cwd=ROOT,
            env={**suite.environment(service, role), **_QUIET, **ports, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield Started(process.pid, http if role == "web" else health)
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


@contextmanager
def resting(suite: LocalSuite, service: str, role: str = "bus") -> Iterator[None]:
    """Keep a process of `suite` down while the block runs. It is asked to end, so that it leaves its group at the
    broker at once. Raises LocalProblem when it does not end."""
    mark = suite.held_mark(f"{service}-{role}")
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    try:
        process = suite.process(service, role).process()
        if process is not None:
            process.terminate()
            if not wait_until_gone([process], _START_SECONDS):
                raise LocalProblem(f"{service} {role} did not end within {_START_SECONDS:.0f} s.")
        yield
    finally:
        mark.unlink()
    suite.wait_ready(service, role)


@contextmanager
def as_service(suite: LocalSuite, service: str) -> Iterator[Runtime]:
    """`service` in this process, on its database in `suite`: what it commits is carried by its bus process."""
    wiring = import_module(f"services.{service}.wiring").SERVICE
    settings = wiring.settings.from_env(service, suite.environment(service, "cli"))
    runtime = Runtime.start(wiring, settings, role="bench")
    with closing(runtime.database):
        yield runtime


@contextmanager
def acting() -> Iterator[Cause]:
    """What the block commits is a chain of its own, begun by the bench."""
    with caused_by(Cause(new_id(), "system:bench", "bench")) as cause:
        yield cause


def _wait_until_it_answers(url: str, seconds: float = _START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """The suite's processes inherit CRM_* variables from whoever starts them."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def clear_home() -> None:
    """Throw away what an interrupted run has left behind."""
    shutil.rmtree(HOME, ignore_errors=True)


def fresh_folder(name: str) -> Path:
    """An empty folder below `HOME`."""
    folder = HOME / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
