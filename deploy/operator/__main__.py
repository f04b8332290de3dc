"""``crm``: look at a running suite, and help it on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.local.import_data import main as import_data
from deploy.local.problems import LocalProblem
from deploy.local.suite import ROOT
from deploy.operator.api import BusApi
from deploy.operator.places import LocalPlace, Place, find_place
from deploy.operator.restore import back_up
from deploy.operator.restore import restore as restore_service
from deploy.operator.status import show
from shared.contracts.catalog import Catalog
from shared.observability.lookout import Lookout

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 200

_CELL = 120
"""Characters of a table's cell: an error's beginning, which names the value that is wrong."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


class _Commands(click.Group):
    """Lists its commands in the order in which one needs them, and says a ``LocalProblem`` in its one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LocalProblem as problem:
            click.echo(str(problem), err=True)
            ctx.exit(1)


class _Operator:
    """The suite meant by the options, found when a command first needs it: help and mistakes need none."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def place(self) -> Place:
        return find_place(self.home)

    def services(self, named: str | None = None) -> Iterator[str]:
        """The services with a bus of their own, or the one named. Raises LocalProblem for a name that is none."""
        known = [name for name in self.place.services if name != "web"]
        if named is not None and named not in known:
            raise LocalProblem(f"There is no service {named}: choose from {', '.join(known)}.")
        yield from known if named is None else [named]

    def service(self, named: str) -> str:
        """A name that is a service's."""
        return next(self.services(named))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CRM_HOME",
    default=ROOT / ".crm",
    help="Folder of the local suite; the default is that of `make run`.",
)
@click.pass_context
def main(context: click.Context, home: Path) -> None:
    """Look at a running suite, and help it on.

    Begin with `crm status`: it says what is wrong and which command shows more. Every command explains itself with
    --help; docs/runbooks tells what to do step by step.

    Without settings this is the suite of `make run` on this machine, in the name of its administrator. For another one
    set CRM_URL to the address of the services, with {service} where the name belongs, such as
    https://crm.example/api/{service}; CRM_BUS_URL likewise to the health of the bus processes; and CRM_TOKEN, or
    CRM_CLIENT_ID and CRM_CLIENT_SECRET, to say who you are.
    """
    context.obj = _Operator(home.absolute())


@main.command()
@click.pass_obj
def status(operator: _Operator) -> None:
    """Show every service, what waits, what is stuck, and the ERP, on one screen.

    lag: records in the topics that the service has not received. outbox: facts not yet sent. inbox: facts received and
    not yet handled. blocked: keys that wait behind a dead letter. Ends with 1 when something is not as it should be.
    """
    place = operator.place
    seen = Lookout([place.address(name) for name in place.services]).look()
    if not show(seen, console):
        sys.exit(1)


@main.group(cls=_Commands)
def dlq() -> None:
    """Dead letters: facts a service gave up. Each blocks its key until it is retried or skipped.

    The usual way: `list` shows the reason, `show` the content; repair the cause, then `retry`. What can never be
    applied is exported for the record and skipped with a reason.
    """


@dlq.command("list")
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each, for programs.")
@click.pass_obj
def dlq_list(operator: _Operator, service: str | None, as_json: bool) -> None:
    """The letters of SERVICE, or of all services, oldest first (at most a hundred each)."""
    api = BusApi(operator.place)
    letters = [
        {"service": name, **letter}
        for name in operator.services(service)
        for letter in api.dead_letters(name)
    ]
    _show(
        letters, ("service", "event_id", "event_type", "partition_key", "received_at", "last_error"), as_json
    )


@dlq.command("show")
@click.argument("service")
@click.argument("event_id")
@click.pass_obj
def dlq_show(operator: _Operator, service: str, event_id: str) -> None:
    """A letter of SERVICE with its headers and payload."""
    letter = BusApi(operator.place).dead_letter(operator.service(service), event_id)
    click.echo(json.dumps(letter, indent=2, ensure_ascii=False))


@dlq.command("export")
@click.argument("service")
@click.pass_obj
def dlq_export(operator: _Operator, service: str) -> None:
    """All letters of SERVICE with headers and payloads, a line of JSON each."""
    api = BusApi(operator.place)
    for letter in api.dead_letters(operator.service(service)):
        click.echo(json.dumps(api.dead_letter(service, letter["event_id"]), ensure_ascii=False))


@dlq.command("retry")
@click.argument("service")
@click.argument("event_id", required=False)
@click.option("--all", "everything", is_flag=True, help="Every letter of the service that is an event.")
@click.pass_obj
def dlq_retry(operator: _Operator, service: str, event_id: str | None, everything: bool) -> None:
    """Work on a letter of SERVICE again, at once and with all its attempts."""
    if (event_id is None) != everything:
        raise click.UsageError("Give the id of a letter, or --all.")
    api, service = BusApi(operator.place), operator.service(service)
    letters = [letter for letter in api.dead_letters(service) if letter["event_type"] is not None]
    chosen = [event_id] if event_id is not None else [letter["event_id"] for letter in letters]
    for each in chosen:
        api.retry(service, each)
    click.echo(f"{len(chosen)} tried again: `crm dlq list {service}` shows what fails once more.")


@dlq.command("skip")
@click.argument("service")
@click.argument("event_id")
@click.option("--reason", required=True, help="Why it may be given up; kept in the audit log.")
@click.pass_obj
def dlq_skip(operator: _Operator, service: str, event_id: str, reason: str) -> None:
    """Give a letter of SERVICE up for good, so that its key moves on."""
    BusApi(operator.place).skip(operator.service(service), event_id, reason)
    click.echo(f"{event_id} is skipped; its key moves on.")


@main.command()
@click.argument("service")
@click.option("--topic", help="Such as crm.sales.order; default: every topic that the service reads.")
@click.option(
    "--from-time", type=_TIMES, help="From here on, UTC unless it says otherwise; default: all there is."
)
@click.option("--key", help="Only this key, the id of a record.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--wait", type=float, default=600, show_default=True, help="Seconds to wait for the result.")
@click.pass_obj
def replay(
    operator: _Operator,
    service: str,
    topic: str | None,
    from_time: datetime | None,
    key: str | None,
    dry_run: bool,
    wait: float,
) -> None:
    """Bring facts back from the broker that SERVICE lacks.

    Facts keep their ids: what the service knows already changes nothing, so a replay is always safe to repeat.
    """
    if from_time is not None and key is not None:
        raise click.UsageError("Give --from-time or --key, not both.")
    service, declared = operator.service(service), Catalog.load().topics
    if topic is not None and topic not in declared:
        raise LocalProblem(f"There is no topic {topic}: `crm topics` lists them.")
    since = from_time or _BEGINNING
    bound = (
        {"key": key}
        if key
        else {"from_time": (since if since.tzinfo else since.replace(tzinfo=UTC)).isoformat()}
    )
    read = [name for name, each in declared.items() if service in each.consumers]
    api, stored = BusApi(operator.place), " (dry run)" if dry_run else ", now stored"
    for name in [topic] if topic else read:
        result = api.replay(service, {"topic": name, "dry_run": dry_run, **bound}, wait)
        click.echo(f"{name}: {result['read']} read, {result['missing']} were missing{stored}")


@main.command()
@click.argument("service")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(operator: _Operator, service: str, file: Path) -> None:
    """Write the database of SERVICE to FILE, with pg_dump."""
    back_up(operator.place, operator.service(service), file)
    click.echo(f"{file}: {file.stat().st_size} bytes")


@main.command()
@click.argument("service")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.confirmation_option(prompt="What SERVICE holds now is lost. Go on?")
@click.pass_obj
def restore(operator: _Operator, service: str, file: Path) -> None:
    """Replace the database of SERVICE by FILE, and bring back from the broker the facts that it lacks then.

    On this machine the service's processes are stopped meanwhile; elsewhere stop them first. Read
    docs/runbooks/restore.md before: what the service itself decided after the backup does not come back.
    """
    restore_service(operator.place, operator.service(service), file, click.echo)
    click.echo(f"{service} runs again.")


@main.group(cls=_Commands)
def outbox() -> None:
    """Facts that are committed and have not reached the broker."""


@outbox.command("list")
@click.argument("service", required=False)
@click.option("--parked", is_flag=True, help="Only what the broker refused for good.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each, for programs.")
@click.pass_obj
def outbox_list(operator: _Operator, service: str | None, parked: bool, as_json: bool) -> None:
    """What waits at SERVICE, or at all services, oldest first."""
    api = BusApi(operator.place)
    facts = [
        {"service": name, **fact}
        for name in operator.services(service)
        for fact in api.outbox(name, parked=parked)
    ]
    _show(facts, ("service", "event_id", "event_type", "occurred_at", "attempts", "last_error"), as_json)


@outbox.command("resend")
@click.argument("service")
@click.argument("event_id")
@click.pass_obj
def outbox_resend(operator: _Operator, service: str, event_id: str) -> None:
    """Send a fact of SERVICE again under its own id; who has it already drops it."""
    BusApi(operator.place).resend(operator.service(service), event_id)
    click.echo(f"{event_id} will be sent again.")


@main.command()
@click.argument("services", nargs=-1)
@click.pass_obj
def migrate(operator: _Operator, services: tuple[str, ...]) -> None:
    """Bring the databases of SERVICES (default: all) to the version of this code."""
    place = operator.place
    for name in services or place.services:
        if name not in place.services:
            raise LocalProblem(f"There is no service {name}: choose from {', '.join(place.services)}.")
        _run(["-m", f"services.{name}", "migrate"], place.environment(name))
        click.echo(f"{name} is at the newest version.")


@main.command()
@click.option("--create", is_flag=True, help="Create those that Kafka lacks; ones that exist are left alone.")
@click.pass_obj
def topics(operator: _Operator, create: bool) -> None:
    """List the topics with their partitions in production, and who reads them."""
    if create:
        place = operator.place
        environment = place.environment(place.services[0])
        if environment.get("CRM_BUS", "kafka") != "kafka":
            raise LocalProblem("The suite runs on the embedded bus, which needs no topics.")
        _run(["-m", "shared.messaging.topics"], environment)
        return
    table = Table("topic", "partitions", "kept", "read by", box=None, pad_edge=False)
    for name, topic in sorted(Catalog.load().topics.items()):
        readers = ", ".join(sorted(topic.consumers)) or "–"
        table.add_row(name, str(topic.partitions["production"]), f"{topic.retention_days} d", readers)
    console.print(table)


@main.command()
@click.pass_obj
def token(operator: _Operator) -> None:
    """Print a bearer token, and nothing else."""
    click.echo(operator.place.token())


@main.command()
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"], case_sensitive=False))
@click.argument("service")
@click.argument("path")
@click.argument("body", required=False)
@click.option("--version", type=int, help="Of the record to change, as it was read (If-Match).")
@click.pass_obj
def call(
    operator: _Operator, method: str, service: str, path: str, body: str | None, version: int | None
) -> None:
    """Make a request to SERVICE, such as `crm call GET erp "/v1/links?state=blocked"`; BODY is JSON.

    Every service describes its own at /docs.
    """
    try:
        content = None if body is None else json.loads(body)
    except ValueError as error:
        raise click.UsageError(f"BODY is no JSON: {error}") from error
    answer = BusApi(operator.place).call(method.upper(), operator.service(service), path, content, version)
    if answer:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


@main.command(
    "import",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def import_(operator: _Operator, arguments: tuple[str, ...]) -> None:
    """Load a folder of CSV files through the APIs, with a verdict for every row."""
    if not isinstance(operator.place, LocalPlace):
        raise LocalProblem("An import runs where the suite does: unset CRM_URL.")
    import_data.main(args=["--home", str(operator.home), *arguments], prog_name="crm import")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("service")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def service(operator: _Operator, service: str, arguments: tuple[str, ...]) -> None:
    """Run a command of SERVICE with its own settings, such as `crm service sales audit verify`.

    What is there: `crm service sales -- --help`. These commands use the database and need no running API.
    """
    place = operator.place
    if service not in place.services:
        raise LocalProblem(f"There is no service {service}: choose from {', '.join(place.services)}.")
    _run(["-m", f"services.{service}", *arguments], place.environment(service))


def _run(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Run a module of the suite; ends with its exit code when it fails."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=dict(environment), check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def _show(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    rows = list(rows)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("None.")
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("–" if row[name] is None else _cut(str(row[name])) for name in columns))
    console.print(table)


def _cut(value: str) -> Text:
    """The beginning, in one line; what is in brackets is no mark-up."""
    line = " ".join(value.split())
    return Text(line if len(line) <= _CELL else f"{line[: _CELL - 1]}…")


if __name__ == "__main__":
    main(prog_name="crm")
