"""One folder per test run, shared by every pytest process of that run, and the servers that live in it.

The process that the developer started owns the folder: it makes the name, and at the end it stops what runs
there and deletes it. xdist's workers inherit the name. Who needs a server first starts it under a file lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.kafka import Broker
from deploy.local.postgres import Cluster

_VARIABLE = "CRM_TEST_RUN"
_PREFIX = "crm-tests-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where test data costs no disk writes
CONTAINERS = "containers"  # this file marks a run that has used the container engine
_NEEDED_BYTES = 2 * 1024**3


def run_directory() -> Path:
    """The folder of this run; it exists."""
    folder = Path(os.environ[_VARIABLE])
    folder.mkdir(mode=0o711, exist_ok=True)
    return folder


def once_per_run(name: str, make: Callable[[], Any]) -> Any:
    """The JSON-able result of ``make``, called by one process of the run and remembered for all others."""
    kept = run_directory() / f"{name}.json"
    with (run_directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            return json.loads(kept.read_text())
        result = make()
        kept.write_text(json.dumps(result))
        return result


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if _owns_the_run(config):
        for left_behind in _base().glob(f"{_PREFIX}*"):
            if not psutil.pid_exists(int(left_behind.name.removeprefix(_PREFIX))):
                _end(left_behind)
        os.environ[_VARIABLE] = str(_base() / f"{_PREFIX}{os.getpid()}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if _owns_the_run(config):
        _end(Path(os.environ.pop(_VARIABLE)))


def _owns_the_run(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def _base() -> Path:
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _NEEDED_BYTES:
        return _MEMORY
    return Path(tempfile.gettempdir())


def _end(folder: Path) -> None:
    Cluster(folder / "postgres", 0, log=folder / "postgres.log").stop()
    for data in folder.glob("kafka-*"):
        Broker(data, 0).kill()
    if (folder / CONTAINERS).exists():
        import_module("shared.testing.containers").remove_containers(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
