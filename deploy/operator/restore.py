"""A service's database to a file and back, and what the broker knows more than the file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.ports import ROLES
from deploy.local.postgres import program
from deploy.local.problems import LocalProblem
from deploy.local.suite import ROOT
from deploy.operator.places import LocalPlace, Place

__all__ = ["back_up", "restore"]


def back_up(place: Place, service: str, file: Path) -> None:
    """Write the database of `service` to `file`, in pg_dump's own format. Raises LocalProblem."""
    environment = place.environment(service)
    options = ("--format=custom", "--no-owner", "--no-acl", f"--file={file}")
    _postgres("pg_dump", environment, *options, f"--dbname={_database(environment)}")


def restore(place: Place, service: str, file: Path, say: Callable[[str], None]) -> None:
    """Replace the database of `service` by what is in `file`, and bring back the facts that it lacks then.

    The facts are stored while the service's processes are down: of a key, what is newest must not come first. On this
    machine the processes are held down meanwhile; elsewhere they must be stopped before. Raises LocalProblem.
    """
    if not file.is_file():
        raise LocalProblem(f"There is no file {file}.")
    environment = place.environment(service)
    with ExitStack() as down:
        if isinstance(place, LocalPlace):
            for role in ROLES:
                down.enter_context(place.suite.held_down(f"{service}-{role}"))
        with TemporaryDirectory() as folder:
            script = Path(folder) / "restore.sql"
            _postgres("pg_restore", environment, "--no-owner", "--no-acl", f"--file={script}", str(file))
            # All or nothing; an empty schema first, for partitions cannot be dropped one by one.
            emptied = ("--command=DROP SCHEMA public CASCADE", "--command=CREATE SCHEMA public")
            _postgres(
                "psql",
                environment,
                *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
                *(*emptied, f"--file={script}", f"--dbname={_database(environment)}"),
            )
        say(f"The database of {service} is that of {file}.")
        command = [sys.executable, "-m", f"services.{service}", "replay"]
        done = subprocess.run(
            command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LocalProblem(f"The replay failed: {done.stderr.strip()[-500:]}")
        say(done.stdout.strip())
    if isinstance(place, LocalPlace):
        place.suite.wait_ready(service)


def _postgres(name: str, environment: Mapping[str, str], *options: str) -> None:
    """Run one of PostgreSQL's programs; the wheel's own where there is one, for versions must agree."""
    try:
        tool = str(program(name))
    except LocalProblem:
        found = shutil.which(name)
        if found is None:
            raise
        tool = found
    done = subprocess.run(
        [tool, *options], env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LocalProblem(f"{name} failed: {done.stderr.strip()[-500:]}")


def _database(environment: Mapping[str, str]) -> str:
    """The address of the service's database."""
    url = environment.get("CRM_DATABASE_URL")
    if url is None:
        raise LocalProblem("CRM_DATABASE_URL names no database: run this where the service's settings are.")
    return url
