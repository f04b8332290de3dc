"""The command line of every service: `python -m services.<name> web|bus|migrate|openapi|dlq|outbox|replay ...`."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from shared import crash_points
from shared.db.migrations import migrate as run_migrations
from shared.db.migrations import wait_for_head
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import Cause, caused_by
from shared.kernel.errors import DomainError
from shared.kernel.ids import new_id
from shared.messaging import commands, dead_letters, outbox, replay
from shared.messaging.bus_process import BusProcess, open_transport
from shared.messaging.housekeeping import verify_audit
from shared.messaging.transport import BusUnavailable
from shared.observability.logs import configure_logging
from shared.observability.process import start_telemetry, stop_telemetry
from shared.service import Runtime, Service
from shared.settings import Settings, SettingsError

__all__ = ["main", "operating"]

OPENAPI = Path("docs/openapi")


def main(
    service: Service, arguments: Sequence[str] | None = None, *, commands: Sequence[click.Command] = ()
) -> None:
    """Run the command line of `service` with `arguments` (default: the process's own).

    `commands` are what it has besides those of every service; they get `service` as their object.
    """
    own = {str(command.name): command for command in commands}
    whole = click.Group(cli.name, {**cli.commands, **own}, help=cli.help)
    try:
        whole.main(
            args=list(arguments) if arguments is not None else None, obj=service, standalone_mode=False
        )
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (SettingsError, DomainError, BusUnavailable) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except OperationalError as error:
        click.echo(f"The database cannot be used: {error.orig}", err=True)
        sys.exit(2)


@click.group()
def cli() -> None:
    """Run and operate one service of the suite. Settings come from CRM_* variables."""


def _settings(service: Service) -> Settings:
    return service.settings.from_env(service.name)


def _runtime(service: Service, role: str) -> Runtime:
    return Runtime.start(service, _settings(service), role=role)


def _observe(settings: Settings, role: str) -> None:
    configure_logging(settings.service, role, settings.log_level)
    start_telemetry(settings, role)


def _show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, default=_text))


def _text(value: Any) -> str:
    return (
        bytes(value).decode(errors="backslashreplace")
        if isinstance(value, bytes | memoryview)
        else str(value)
    )


@cli.command()
@click.pass_obj
def web(service: Service) -> None:
    """Serve the HTTP API."""
    from shared.web.server import serve

    settings = _settings(service)
    crash_points.arm(os.environ, settings.environment)
    configure_logging(settings.service, "web", settings.log_level)
    serve(service, settings)


@cli.command()
@click.pass_obj
def bus(service: Service) -> None:
    """Carry facts: relay, ingest, handlers, timers and outside commands."""
    settings = _settings(service)
    crash_points.arm(os.environ, settings.environment)
    _observe(settings, "bus")
    try:
        BusProcess(Runtime.start(service, settings, role="bus")).run()
    finally:
        stop_telemetry()


@cli.command()
@click.option("--wait", "seconds", type=float, help="Change nothing; wait so long for another to do it.")
@click.pass_obj
def migrate(service: Service, seconds: float | None) -> None:
    """Bring the database to this version, and make what a new installation needs."""
    if seconds is not None:
        runtime = _runtime(service, "wait")
        reached, why = wait_for_head(runtime.database, service.migrations, seconds)
        runtime.database.close()
        if not reached:
            raise click.ClickException(f"After {seconds:g} s {why}.")
        return
    run_migrations(_settings(service).database_url, service.migrations)
    if service.first_run is not None:
        runtime = _runtime(service, "migrate")
        service.first_run(runtime)
        runtime.database.close()


@cli.command()
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write here instead of docs/openapi/<name>.json."
)
@click.pass_obj
def openapi(service: Service, output: Path | None) -> None:
    """Write the OpenAPI document; needs no database."""
    from shared.web.documentation import openapi_document

    path = output or OPENAPI / f"{service.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(openapi_document(service))


@cli.group()
def dlq() -> None:
    """Dead letters: facts this service gave up."""


@dlq.command("list")
@click.pass_obj
def dlq_list(service: Service) -> None:
    """One line of JSON a letter, oldest first."""
    with operating(service, "dlq.list") as (_, uow):
        _show(dead_letters.list_dead_letters(uow.session, service.group))


@dlq.command("show")
@click.argument("source")
@click.argument("event_id")
@click.pass_obj
def dlq_show(service: Service, source: str, event_id: str) -> None:
    """A letter with its headers and payload."""
    with operating(service, "dlq.show") as (_, uow):
        _show([dead_letters.get_dead_letter(uow.session, service.group, source, event_id)])


@dlq.command("export")
@click.pass_obj
def dlq_export(service: Service) -> None:
    """All letters with headers and payloads, a line of JSON each."""
    with operating(service, "dlq.export") as (_, uow):
        for letter in dead_letters.list_dead_letters(uow.session, service.group, limit=100_000):
            whole = dead_letters.get_dead_letter(
                uow.session, service.group, letter["source"], letter["event_id"]
            )
            _show([whole])


@dlq.command("retry")
@click.argument("source")
@click.argument("event_id")
@click.pass_obj
def dlq_retry(service: Service, source: str, event_id: str) -> None:
    """Apply a letter again."""
    with operating(service, "dlq.retry") as (_, uow):
        dead_letters.retry(uow.session, uow.clock, service.group, source, event_id)


@dlq.command("skip")
@click.argument("source")
@click.argument("event_id")
@click.option("--reason", required=True)
@click.pass_obj
def dlq_skip(service: Service, source: str, event_id: str, reason: str) -> None:
    """Give a letter up, so that its key moves on."""
    with operating(service, "dlq.skip") as (_, uow):
        dead_letters.skip(uow.session, uow.clock, service.group, source, event_id, reason)


@cli.group("outbox")
def outbox_group() -> None:
    """Facts on their way to the broker."""


@outbox_group.command("list")
@click.option("--parked", is_flag=True, help="Only what the broker refused for good.")
@click.pass_obj
def outbox_list(service: Service, parked: bool) -> None:
    """One line of JSON a fact that has not been published, oldest first."""
    with operating(service, "outbox.list") as (_, uow):
        _show(outbox.unpublished(uow.session, parked=parked))


@outbox_group.command("resend")
@click.argument("event_id", type=click.UUID)
@click.pass_obj
def outbox_resend(service: Service, event_id: uuid.UUID) -> None:
    """Send a fact again under its own id."""
    with operating(service, "outbox.resend") as (_, uow):
        outbox.resend(uow.session, event_id)


@cli.group("commands")
def commands_group() -> None:
    """Calls that act on the world outside."""


@commands_group.command("list")
@click.pass_obj
def commands_list(service: Service) -> None:
    """One line of JSON a call that is not done, those in doubt and those that failed included."""
    with operating(service, "commands.list") as (_, uow):
        _show(commands.list_open(uow.session))


@commands_group.command("retry")
@click.argument("command_id", type=click.UUID)
@click.pass_obj
def commands_retry(service: Service, command_id: uuid.UUID) -> None:
    """Make a call again that failed or is in doubt: you have found out that it had no effect."""
    with operating(service, "commands.retry") as (_, uow):
        commands.retry(uow, command_id)


@commands_group.command("give-up")
@click.argument("command_id", type=click.UUID)
@click.option("--reason", required=True)
@click.pass_obj
def commands_give_up(service: Service, command_id: uuid.UUID, reason: str) -> None:
    """Close a call that is in doubt as failed, so that its key moves on."""
    with operating(service, "commands.give_up") as (runtime, uow):
        commands.give_up(uow, service.commands(runtime), command_id, reason)


@cli.command("replay")
@click.option(
    "--topic", "topics", multiple=True, help="May be given again; default: all that the service reads."
)
@click.option("--from-time", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"]), help="UTC by default.")
@click.option("--key")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.pass_obj
def replay_command(
    service: Service, topics: tuple[str, ...], from_time: datetime | None, key: str | None, dry_run: bool
) -> None:
    """Bring facts back from the broker that this service's inbox lacks, or skipped for want of a handler. What a person
    skipped stays skipped."""
    since = from_time if from_time is None or from_time.tzinfo else from_time.replace(tzinfo=UTC)
    outcome = "were missing (dry run)" if dry_run else "were missing, now stored"
    with operating(service, "bus.replay") as (runtime, uow):
        transport = open_transport(runtime.settings)
        for topic in topics or service.subscriptions():
            result = replay.replay(
                transport,
                runtime.settings.database_url,
                service.arrivals(),
                runtime.clock,
                topic=topic,
                since=since,
                key=key,
                dry_run=dry_run,
            )
            replay.note(uow, topic, result)
            click.echo(f"{topic}: {result.read} read, {result.missing} {outcome}")


@cli.group("audit")
def audit_group() -> None:
    """The log of who did what."""


@audit_group.command("verify")
@click.pass_obj
def audit_verify(service: Service) -> None:
    """Walk the chain of hashes; ends with 1 where an entry was altered or taken out."""
    with operating(service, "audit.verify") as (_, uow):
        broken_at = verify_audit(uow.session)
    if broken_at is not None:
        raise click.ClickException(f"The audit log does not fit from entry {broken_at} on.")
    click.echo("The audit log is whole.")


@contextmanager
def operating(service: Service, action: str) -> Iterator[tuple[Runtime, UnitOfWork]]:
    """A unit of work of the person at the command line."""
    runtime = _runtime(service, "cli")
    try:
        with caused_by(Cause(new_id(), "system:command-line", action)), runtime.unit_of_work() as uow:
            yield runtime, uow
    finally:
        runtime.database.close()
