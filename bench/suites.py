"""Suites to measure: real processes on a data folder and ports of their own, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import httpx
import psycopg

from bench import raw
from bench.samples import deals
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
    "raw_server",
    "running_suite",
]

HOME = ROOT / ".crm" / "bench"
"""Beside the suite's own data, so that it is on a disk and not in memory."""
PORTS = 4000
"""All ports are moved up by this, so that a running suite is not in the way."""
RAW_PORT = 12190

WEB_WORKERS, WEB_THREADS = 2, 8
_START_SECONDS = 30.0
_RAW_DATABASE = "bench_raw"
# As many requests as the clients can send: what is measured is the work, not the limit on it.
_UNLIMITED = {"CRM_RATE_LIMIT": "1000000/second", "CRM_PUBLIC_RATE_LIMIT": "1000000/second"}


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
        with _environment({**_UNLIMITED, "CRM_WEB_WORKERS": str(workers), "CRM_LOG_LEVEL": "warning"}):
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


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
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
