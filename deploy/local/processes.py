"""Looking after processes by id, when ids are used again and the dead may linger as zombies."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def is_running(process: psutil.Process) -> bool:
    """True while the process works; a zombie, which only waits for its parent to ask, does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def find_in(folder: Path, pid_file: Path) -> psutil.Process | None:
    """The running process whose id stands in the first line of ``pid_file``, if it works in ``folder``.

    An id without the folder proves nothing: after a crash it may belong to another program.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        return process if is_running(process) and Path(process.cwd()) == folder else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def wait_until_gone(processes: Iterable[psutil.Process], seconds: float) -> bool:
    """Wait for all of them to end; False when some still run after ``seconds``."""
    deadline = time.monotonic() + seconds
    while any(is_running(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
