"""What happens before the first process of a suite starts, and what must be cleared away for it."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Callable
from typing import TextIO

from deploy.local.ports import HTTP
from deploy.local.problems import LocalProblem, require_free_disk, require_free_port
from deploy.local.processes import wait_until_gone
from deploy.local.run_record import RunRecord
from deploy.local.suite import LocalSuite
from deploy.postgres.databases import provision, provision_bus
from shared.messaging.postgres_bus import create_log

_LEAVE_SECONDS = 10.0
_LOG_BYTES = 20 * 1024 * 1024


def take_home(suite: LocalSuite) -> TextIO:
    """Make the suite's folder and lock it; the lock holds while the returned file is open.

    Raises ``LocalProblem`` when the disk is full or the suite runs already.
    """
    suite.logs.mkdir(parents=True, exist_ok=True)
    require_free_disk(suite.home)
    lock = (suite.home / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        lock.close()
        raise LocalProblem(
            f"The suite in {suite.home} runs already: `make status` shows it, `make stop` stops it."
        ) from taken
    return lock


def clear_earlier_run(suite: LocalSuite) -> str | None:
    """End the processes of an earlier run whose supervisor was killed; one sentence if there were any."""
    earlier = RunRecord.read(suite.run_file)
    if earlier is None:
        return None
    for record in earlier.processes:
        record.send(signal.SIGTERM)
    left = [process for record in earlier.processes if (process := record.process())]
    wait_until_gone(left, _LEAVE_SECONDS)
    for record in earlier.processes:
        record.send(signal.SIGKILL)
    suite.run_file.unlink()
    return "An earlier run was killed; what it left behind is cleared away."


def require_free_ports(suite: LocalSuite) -> None:
    """Raise ``LocalProblem`` naming the first port of a process that is taken."""
    for port, purpose in suite.ports.of_processes(suite.services):
        require_free_port(port, purpose)


def shorten_logs(suite: LocalSuite) -> None:
    """Set large logs aside, one generation."""
    for log in suite.logs.glob("*.log"):
        if log.stat().st_size > _LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))


def prepare_databases(suite: LocalSuite, say: Callable[[str], None]) -> None:
    """Start PostgreSQL with a database per service and the bus's log. Raises ``LocalProblem``."""
    remark = suite.postgres.start()
    if remark:
        say(remark)
    passwords = {service: suite.secrets.password(service) for service in HTTP}
    provision(suite.postgres, suite.services, passwords)
    provision_bus(suite.postgres, suite.services, suite.secrets.password("bus"))
    create_log(suite.bus_database_url())
