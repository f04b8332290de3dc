"""Forked processes: each with its own session, environment and log, running one command of one service."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from deploy.local.problems import LocalProblem

# What nearly every process needs. Loaded once here, its memory is shared by all of them.
_LIBRARIES = (
    "alembic.runtime.environment",
    "flask_smorest",
    "gunicorn.app.base",
    "gunicorn.workers.gthread",
    "httpx",
    "joserfc.jwt",
    "kafka",
    "opentelemetry.sdk.trace",
    "opentelemetry.exporter.prometheus",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "shared.cli",
    "shared.web.server",
)
_PR_SET_PDEATHSIG = 1
_HIGHEST_FILE = 1024


def preload(services: Iterable[str]) -> None:
    """Import the libraries and the services, and put what is there out of the garbage collector's reach.

    Raises ``LocalProblem`` naming the service that cannot be imported.
    """
    for library in _LIBRARIES:
        import_module(library)
    for service in services:
        try:
            import_module(f"services.{service}.wiring")
        except Exception as failure:
            traceback.print_exc()
            raise LocalProblem(f"The service {service} cannot be imported: {failure!r}") from failure
    gc.collect()
    gc.freeze()


def run_command(service: str, arguments: list[str]) -> int:
    """Run a command of ``service``, as ``python -m services.<service> <arguments>`` would; its exit code."""
    cli = import_module("shared.cli")
    try:
        cli.main(import_module(f"services.{service}.wiring").SERVICE, arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def fork(name: str, work: Callable[[], int], *, environment: Mapping[str, str], log: Path | None) -> int:
    """Start ``work`` in a process of its own and return its process id; its result is the exit code.

    ``log`` takes what it writes; None leaves it the terminal. The caller must have one thread only.
    """
    assert threading.active_count() == 1, "a lock held by another thread would stay locked in the child"
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _become(name, parent, environment, log)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become(name: str, parent: int, environment: Mapping[str, str], log: Path | None) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _end_with(parent)
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"crm-{name}")
    os.environ.clear()
    os.environ.update(environment)
    # The parent's lock and pipes are not the child's to hold.
    os.closerange(3, _HIGHEST_FILE)
    if log is not None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, _HIGHEST_FILE)


def _end_with(parent: int) -> None:
    """Ask the system for a SIGTERM when the supervisor is killed, so that nothing runs on unattended.

    Where the system cannot (it is not Linux), the next start finds what was left and ends it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
