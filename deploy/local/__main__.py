"""``python -m deploy.local``: run the suite on this machine, look at it, stop it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deploy.local.ports import ROLES
from deploy.local.postgres import program
from deploy.local.problems import LocalProblem
from deploy.local.suite import BUSES, ROOT, LocalSuite, choose_services
from deploy.postgres.databases import database_name

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 120


class _Commands(click.Group):
    """Says a ``LocalProblem`` in its one sentence and ends with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LocalProblem as problem:
            click.echo(str(problem), err=True)
            ctx.exit(1)


@click.group(cls=_Commands, invoke_without_command=True)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CRM_HOME",
    default=ROOT / ".crm",
    help="Folder of the suite's data, logs and secrets.",
)
@click.option(
    "--ports", "offset", type=int, envvar="CRM_PORT_OFFSET", default=0, help="Move all ports up by this."
)
@click.option("--bus", type=click.Choice(BUSES), default=BUSES[0], help="What carries the events.")
@click.option("--only", metavar="A,B", help="Run these services only.")
@click.option(
    "--kafka", metavar="HOST:PORT", envvar="KAFKA_BOOTSTRAP", help="A Kafka to use; else a local one."
)
@click.pass_context
def main(
    context: click.Context, home: Path, offset: int, bus: str, only: str | None, kafka: str | None
) -> None:
    """The suite on this machine; without a command, run it."""
    context.obj = home.absolute()
    if context.invoked_subcommand is None:
        kafka = kafka if bus == "kafka" else None
        _run(LocalSuite(home.absolute(), offset, bus, kafka, choose_services(only)))


def _run(suite: LocalSuite) -> None:
    # Loading the services takes a second that the other commands need not wait for.
    from deploy.local.supervisor import Supervisor

    began = time.monotonic()

    def ready() -> None:
        _show_places(suite, time.monotonic() - began)

    Supervisor(suite, lambda line: console.print(line, markup=False)).run(ready)


@main.command()
@click.pass_obj
def stop(home: Path) -> None:
    """Stop the suite that runs in the background or in another terminal."""
    LocalSuite.running(home).stop()


@main.command()
@click.pass_obj
def token(home: Path) -> None:
    """Print a bearer token of the administrator, and nothing else."""
    click.echo(LocalSuite.running(home).token())


@main.command()
@click.pass_obj
def status(home: Path) -> None:
    """Show every process, whether it is ready, and the memory of all."""
    suite = LocalSuite.running(home)
    table = Table("process", "ready", "pid", "up", "restarts", box=None, pad_edge=False)
    record = suite.record()
    for service in suite.services:
        for role in ROLES:
            known = record.find(service, role) if record else None
            ready = "yes" if suite.is_ready(service, role) else "no"
            age = time.time() - known.created if known else 0
            facts = (str(known.pid), f"{age:.0f} s", str(known.restarts)) if known else ()
            table.add_row(f"{service} {role}", ready, *facts)
    console.print(table)
    used = suite.memory()
    each = ", ".join(f"{name} {size // 2**20}" for name, size in sorted(used.items()))
    console.print(f"Memory {sum(used.values()) // 2**20} MB ({each}).")


@main.command()
@click.argument("service")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(home: Path, service: str, arguments: tuple[str, ...]) -> None:
    """Open psql on the database of SERVICE (or ``bus``); ARGUMENTS go to psql."""
    suite = LocalSuite.running(home)
    if service not in (*suite.services, "bus"):
        raise LocalProblem(f"There is no service {service}: choose from {', '.join(suite.services)} and bus.")
    url = suite.bus_database_url() if service == "bus" else suite.database_url(service)
    command = str(program("psql"))
    os.execv(command, [command, url, *arguments])  # noqa: S606 - a program by its full path, no shell


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("service")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def operate(home: Path, service: str, arguments: tuple[str, ...]) -> None:
    """Run a command of SERVICE with the suite's settings, such as ``operate sales dlq list``."""
    environment = {**os.environ, **LocalSuite.running(home).environment(service, "cli")}
    os.chdir(ROOT)
    command = [sys.executable, "-m", f"services.{service}", *arguments]
    os.execve(command[0], command, environment)  # noqa: S606 - this interpreter, no shell


def _show_places(suite: LocalSuite, seconds: float) -> None:
    table = Table("service", "API", "database", "bus process", box=None, pad_edge=False)
    for service in suite.services:
        health = suite.health_url(service, "bus")
        table.add_row(service, suite.url(service), database_name(service), health)
    console.print(table)
    if "web" in suite.services:
        console.print(f"Start page: {suite.url('web')}", markup=False)
    console.print("Each API describes itself at /docs.")
    bus = "the embedded bus" if suite.bus == "postgres" else f"Kafka at {_kafka_address(suite)}"
    console.print(f"\nReady in {seconds:.1f} s on {bus}. Logs are in {suite.logs}.", markup=False)
    console.print("In another terminal: make demo, make status, make -s token. Ctrl-C stops all.")


def _kafka_address(suite: LocalSuite) -> str:
    return suite.broker.bootstrap if suite.broker else str(suite.kafka_bootstrap)


if __name__ == "__main__":
    main()
