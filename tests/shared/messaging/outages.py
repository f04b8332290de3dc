"""Databases that go away and processes that are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["away", "die", "in_child", "killed"]

PATIENCE = 30.0


@contextmanager
def away(url: str) -> Iterator[None]:
    """Inside the block the database at `url` takes no connections, and those that were open are cut."""
    name = str(conninfo_to_dict(url)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as server:
        server.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            yield
        finally:
            server.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


def die() -> NoReturn:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def in_child(work: Callable[[], None]) -> int:
    """Start a process that does `work` with what this one knows; its id. The child must open connections of its
    own."""
    pid = os.fork()
    if pid:
        return pid
    ending = 3
    try:
        work()
        ending = 0
    finally:
        os._exit(ending)


def killed(work: Callable[[], None]) -> None:
    """Do `work` in a child and wait for it to die of `die`; fails when it ends in another way."""
    status = ended(in_child(work))
    assert os.WIFSIGNALED(status), f"the child ended with {os.waitstatus_to_exitcode(status)}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def ended(pid: int) -> int:
    """The status with which a child has ended; it is killed when it does not end in time."""
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"the child {pid} did not end in time")
