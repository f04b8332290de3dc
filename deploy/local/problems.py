"""What can go wrong on a developer's machine, each said in one sentence."""

from __future__ import annotations

import random
import shutil
import socket
from pathlib import Path

_LEAST_FREE_BYTES = 300 * 1024 * 1024


class LocalProblem(Exception):
    """The suite cannot run here; the message is one sentence that says why and what to do."""


def require_free_port(port: int, purpose: str) -> None:
    """Raise ``LocalProblem`` unless loopback ``port`` can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            raise LocalProblem(
                f"Port {port} ({purpose}) is in use by another program: stop that program, "
                "or choose other ports with `make run PORTS=1000` (every port moves up by 1000)."
            ) from failure


def require_free_disk(folder: Path) -> None:
    """Raise ``LocalProblem`` if the file system that holds ``folder`` is nearly full."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise LocalProblem(full_disk_sentence(folder))


def full_disk_sentence(folder: Path) -> str:
    """The sentence for a full disk, with what is free now."""
    free = shutil.disk_usage(folder).free // (1024 * 1024)
    return (
        f"The disk that holds {folder} is full ({free} MB free): "
        f"free at least {_LEAST_FREE_BYTES // (1024 * 1024)} MB, then start again."
    )


def free_port(count: int = 1) -> int:
    """The first of ``count`` neighbouring loopback ports that nobody listens on at this moment.

    It lies below the range that the system gives to clients (from 32768 on Linux), so that no outgoing connection takes
    it before its server starts.
    """
    while True:
        first = random.randrange(20_000, 32_000)
        try:
            for port in range(first, first + count):
                require_free_port(port, "to be given away")
        except LocalProblem:
            continue
        return first
