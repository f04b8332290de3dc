"""The command line of every service: `python -m services.<name> web|bus|migrate|openapi|dlq|outbox|replay ...`."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from shared.db.migrations import migrate as run_migrations
from shared.kernel.cause import Cause, caused_by
from shared.kernel.errors import DomainError
from shared.kernel.ids import new_id
from shared.messaging import dead_letters, outbox
from shared.messaging.bus_process import BusProcess, open_transport
from shared.messaging.replay import replay as run_replay
from shared.observability.logs import configure_logging
from shared.observability.traces import configure_tracing
from shared.service import Runtime, Service
from shared.settings import Settings, SettingsError

__all__ = ["main"]

OPENAPI = Path("docs/openapi")


def main(service: Service, arguments: Sequence[str] | None = None) -> None:
    """Run the command line of `service` with `arguments` (default: the process's own)."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, obj=service, standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (SettingsError, DomainError) as error:
        click.echo(str(error), err=True)
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
    configure_tracing(settings, role)


def _show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, default=_text))


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes | memoryview) else str(value)


@cli.command()
@click.pass_obj
def web(service: Service) -> None:
    """Serve the HTTP API."""
    from shared.web.server import serve

    settings = _settings(service)
    configure_logging(settings.service, "web", settings.log_level)
    serve(service, settings)


@cli.command()
@click.pass_obj
def bus(service: Service) -> None:
    """Carry facts: relay, ingest, handlers, timers and outside commands."""
    settings = _settings(service)
    _observe(settings, "bus")
    BusProcess(Runtime.start(service, settings, role="bus")).run()


@cli.command()
@click.pass_obj
def migrate(service: Service) -> None:
    """Bring the database to this version, and make what a new installation needs."""
    run_migrations(_settings(service).database_url, service.migrations)
    if service.first_run is not None:
        runtime = _runtime(service, "migrate")
        service.first_run(runtime)
        runtime.database.close()


@cli.command()
@click.option("--output", type=click.Path(path_type=Path), help="Write here instead of docs/openapi/<name>.json.")
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
    with _runtime(service, "cli").database.session() as session:
        _show(dead_letters.list_dead_letters(session, service.group))


@dlq.command("show")
@click.argument("source")
@click.argument("event_id")
@click.pass_obj
def dlq_show(service: Service, source: str, event_id: str) -> None:
    """A letter with its headers and payload."""
    with _runtime(service, "cli").database.session() as session:
        _show([dead_letters.get_dead_letter(session, service.group, source, event_id)])


@dlq.command("export")
@click.pass_obj
def dlq_export(service: Service) -> None:
    """All letters with headers and payloads, a line of JSON each."""
    with _runtime(service, "cli").database.session() as session:
        for letter in dead_letters.list_dead_letters(session, service.group, limit=100_000):
            _show(
                [dead_letters.get_dead_letter(session, service.group, letter["source"], letter["event_id"])]
            )


@dlq.command("retry")
@click.argument("source")
@click.argument("event_id")
@click.pass_obj
def dlq_retry(service: Service, source: str, event_id: str) -> None:
    """Apply a letter again."""
    runtime = _runtime(service, "cli")
    with runtime.database.session() as session, session.begin(), _operator("dlq.retry"):
        dead_letters.retry(session, runtime.clock, service.group, source, event_id)


@dlq.command("skip")
@click.argument("source")
@click.argument("event_id")
@click.option("--reason", required=True)
@click.pass_obj
def dlq_skip(service: Service, source: str, event_id: str, reason: str) -> None:
    """Give a letter up, so that its key moves on."""
    runtime = _runtime(service, "cli")
    with runtime.database.session() as session, session.begin(), _operator("dlq.skip"):
        dead_letters.skip(session, runtime.clock, service.group, source, event_id, reason)


@cli.group("outbox")
def outbox_group() -> None:
    """Facts on their way to the broker."""


@outbox_group.command("list")
@click.option("--parked", is_flag=True, help="Only what the broker refused for good.")
@click.pass_obj
def outbox_list(service: Service, parked: bool) -> None:
    """One line of JSON a fact that has not been published, oldest first."""
    with _runtime(service, "cli").database.session() as session:
        _show(outbox.unpublished(session, parked=parked))


@outbox_group.command("resend")
@click.argument("event_id", type=click.UUID)
@click.pass_obj
def outbox_resend(service: Service, event_id: uuid.UUID) -> None:
    """Send a fact again under its own id."""
    with _runtime(service, "cli").database.session() as session, session.begin(), _operator("outbox.resend"):
        outbox.resend(session, event_id)


@cli.command("replay")
@click.option("--topic", required=True)
@click.option("--from-time", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"]))
@click.option("--key")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.pass_obj
def replay_command(
    service: Service, topic: str, from_time: datetime | None, key: str | None, dry_run: bool
) -> None:
    """Bring facts back from the broker that this service's inbox lacks."""
    settings = _settings(service)
    result = run_replay(
        open_transport(settings),
        settings.database_url,
        service.arrivals(),
        _runtime(service, "cli").clock,
        topic=topic,
        since=from_time.astimezone() if from_time else None,
        key=key,
        dry_run=dry_run,
    )
    click.echo(f"{result.read} read, {result.missing} were missing{' (dry run)' if dry_run else ', now stored'}")


def _operator(action: str) -> Any:
    return caused_by(Cause(new_id(), "system:command-line", action))
