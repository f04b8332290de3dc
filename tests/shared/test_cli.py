"""The command line of a service: every command, with what it says and what it changes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import select, text

from deploy.local.problems import free_port
from shared import cli
from shared.db.plumbing import AUDIT_ENTRIES, OUTSIDE_COMMANDS
from shared.kernel.clock import FixedClock
from shared.messaging.commands import Command
from shared.messaging.housekeeping import seal
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from shared.service import Runtime, Service
from shared.web import create_app
from tests.shared import ledger
from tests.shared.ledger import TOPIC, facts, noted, service
from tests.shared.messaging.arrivals import Temper, arrive, inbox, linked, step
from tests.shared.messaging.buses import eventually

Run = Callable[..., str]


@pytest.fixture
def temper(clock: FixedClock) -> Temper:
    return Temper(clock)


class Mail:
    """An outside that cannot be asked."""

    can_find = False
    given_up: list[str] = []

    def find(self, command: Command) -> None:
        raise AssertionError("it cannot be asked")

    def perform(self, command: Command) -> None:
        raise AssertionError("nobody performs here")

    def record(self, command: Command, result: Any, uow: Any) -> None:
        raise AssertionError("there is no result")

    def record_failure(self, command: Command, error: BaseException, uow: Any) -> None:
        self.given_up.append(str(error))


@pytest.fixture
def erp(start_service: Callable[[Service], Runtime], temper: Temper) -> Runtime:
    return start_service(service("erp", temper.handler, commands=lambda runtime: {"mail": Mail()}))


@pytest.fixture
def environment(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that the service reads; set for this process as well."""
    assert erp.settings.bus_database_url is not None
    variables = {
        "CRM_DATABASE_URL": erp.settings.database_url,
        "CRM_BUS": "postgres",
        "CRM_BUS_DATABASE_URL": erp.settings.bus_database_url,
        "CRM_SECRET": "a secret of this test",
        "CRM_HEALTH_PORT": str(free_port()),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def run(erp: Runtime, environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("dlq", "list")` is what the command prints; it must end well."""

    def command(*arguments: str) -> str:
        cli.main(erp.service, arguments)
        return capsys.readouterr().out

    return command


@pytest.fixture
def refuse(erp: Runtime, environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """Like `run`, for a command that must fail: its complaint."""

    def command(*arguments: str, code: int = 2) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(erp.service, arguments)
        assert ended.value.code == code
        return capsys.readouterr().err

    return command


@pytest.fixture
def letter(erp: Runtime, temper: Temper) -> str:
    """The id of a dead letter."""
    temper.refuses = {"bad"}
    record = linked("k", 1, "bad")
    arrive(erp, [record, linked("k", 2, "after")])
    step(erp)
    return record.headers["ce_id"]


def _rows(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def _audited(erp: Runtime) -> list[tuple[str, str]]:
    with erp.database.session() as session:
        rows = session.execute(select(AUDIT_ENTRIES).order_by(AUDIT_ENTRIES.c.ord))
        return [(row.actor, row.action) for row in rows if row.action != "internal"]


def test_help_describes_every_command(run: Run) -> None:
    shown = run("--help")
    for command in ("web", "bus", "migrate", "openapi", "dlq", "outbox", "commands", "replay", "audit"):
        assert f"\n  {command} " in shown
        assert (cli.cli.commands[command].help or "").endswith(".")


def test_the_openapi_document_needs_no_database(tmp_path: Path) -> None:
    bare = Service("erp", lambda runtime: create_app(runtime, []))
    path = tmp_path / "new" / "erp.json"
    cli.main(bare, ["openapi", "--output", str(path)])
    assert json.loads(path.read_text())["info"]["title"] == "CRM erp"


def test_wrong_settings_are_all_named(refuse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_DATABASE_URL")
    monkeypatch.setenv("CRM_PORT", "http")
    said = refuse("outbox", "list")
    assert "Wrong settings for erp" in said
    assert "CRM_DATABASE_URL: Missing." in said
    assert "CRM_PORT: Not a valid integer." in said


def test_a_database_that_is_away_is_said_in_one_line(refuse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    said = refuse("outbox", "list")
    assert said.startswith("The database cannot be used: ")
    assert "Traceback" not in said


def test_an_unknown_option_is_explained(refuse: Run) -> None:
    assert "No such option" in refuse("outbox", "list", "--nonsense")


def test_dead_letters_are_listed_shown_and_exported(run: Run, letter: str) -> None:
    (listed,) = _rows(run("dlq", "list"))
    assert (listed["event_id"], listed["last_error"]) == (letter, "Permanent: bad is refused")
    (shown,) = _rows(run("dlq", "show", "/crm/erp", letter))
    assert json.loads(shown["payload"])["erp_customer_id"] == "bad"
    assert _rows(run("dlq", "export")) == [shown]


def test_a_dead_letter_is_retried(run: Run, erp: Runtime, temper: Temper, letter: str) -> None:
    temper.refuses = set()
    run("dlq", "retry", "/crm/erp", letter)
    step(erp)
    assert [number for _, _, number in noted(erp.database)] == ["bad", "after"]
    assert _audited(erp) == [("system:command-line", "dead_letter.retry")]


def test_a_dead_letter_is_skipped_with_a_reason(run: Run, refuse: Run, erp: Runtime, letter: str) -> None:
    assert "--reason" in refuse("dlq", "skip", "/crm/erp", letter)
    run("dlq", "skip", "/crm/erp", letter, "--reason", "a test fact")
    step(erp)
    assert [number for _, _, number in noted(erp.database)] == ["after"]
    assert inbox(erp.database)[0].last_error == "skipped: a test fact"
    assert "no dead letter" in refuse("dlq", "skip", "/crm/erp", letter, "--reason", "again")


def _say(erp: Runtime) -> uuid.UUID:
    with erp.unit_of_work() as uow:
        ledger.Links(uow.session).add(ledger.Link.to("1"))
    event_id: uuid.UUID = facts(erp.database)[0].event_id
    return event_id


def test_facts_on_their_way_are_listed(run: Run, erp: Runtime) -> None:
    event_id = _say(erp)
    (listed,) = _rows(run("outbox", "list"))
    assert (listed["event_id"], listed["topic"]) == (str(event_id), TOPIC)
    assert run("outbox", "list", "--parked") == ""


def test_a_fact_is_sent_again(run: Run, refuse: Run, erp: Runtime) -> None:
    event_id = _say(erp)
    with erp.database.session() as session, session.begin():
        session.execute(text("UPDATE outbox SET published_at = clock_timestamp()"))
    run("outbox", "resend", str(event_id))
    assert facts(erp.database)[0].published_at is None
    assert ("system:command-line", "outbox.resend") in _audited(erp)
    assert "holds no fact" in refuse("outbox", "resend", str(uuid.uuid4()))
    assert "not a valid UUID" in refuse("outbox", "resend", "x")


@pytest.fixture
def doubtful(erp: Runtime) -> str:
    """The id of an outside command in doubt."""
    with erp.unit_of_work() as uow:
        command_id = uow.commands.add("mail", "ann", {})
        uow.session.execute(OUTSIDE_COMMANDS.update().values(state="in_doubt"))
    return str(command_id)


def _command_state(erp: Runtime) -> str:
    with erp.database.session() as session:
        state: str = session.execute(select(OUTSIDE_COMMANDS.c.state)).scalar_one()
        return state


def test_outside_commands_are_listed_and_made_again(run: Run, erp: Runtime, doubtful: str) -> None:
    (listed,) = _rows(run("commands", "list"))
    assert (listed["id"], listed["state"]) == (doubtful, "in_doubt")
    run("commands", "retry", doubtful)
    assert _command_state(erp) == "queued"
    assert _audited(erp) == [("system:command-line", "outside_command.retry")]


def test_an_outside_command_is_given_up(run: Run, refuse: Run, erp: Runtime, doubtful: str) -> None:
    run("commands", "give-up", doubtful, "--reason", "the address is wrong")
    assert _command_state(erp) == "failed"
    assert Mail.given_up == ["the address is wrong"]
    assert "in_doubt" in refuse("commands", "give-up", doubtful, "--reason", "again")


def test_a_topic_is_replayed(run: Run, erp: Runtime, bus_database: str) -> None:
    publisher = PostgresBus(bus_database).publisher()
    received = [linked("a", 1), linked("b", 1)]
    publisher.publish([OutgoingRecord(TOPIC, each.key, each.headers, each.value) for each in received])
    publisher.close()
    with psycopg.connect(bus_database) as connection:
        connection.execute("UPDATE log SET appended_at = '2026-03-02T09:00Z' WHERE key = 'a'")
    assert run("replay", "--topic", TOPIC, "--dry-run") == f"{TOPIC}: 2 read, 2 were missing (dry run)\n"
    assert inbox(erp.database) == []
    assert run("replay", "--topic", TOPIC, "--key", "b") == f"{TOPIC}: 1 read, 1 were missing, now stored\n"
    assert (
        run("replay", "--topic", TOPIC, "--from-time", "2026-03-02")
        == f"{TOPIC}: 2 read, 1 were missing, now stored\n"
    )
    assert run("replay", "--topic", TOPIC, "--from-time", "2026-03-02T10:00:00+0100").startswith(
        f"{TOPIC}: 2 read, 0"
    )
    assert run("replay", "--topic", TOPIC, "--from-time", "2026-03-02T09:00:01Z").startswith(
        f"{TOPIC}: 1 read, 0"
    )
    assert set(_audited(erp)) == {("system:command-line", "bus.replay")}


def test_a_broker_that_is_away_is_said_in_one_line(refuse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_BUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    assert "the bus database cannot be reached" in refuse("replay", "--topic", TOPIC)


def test_the_audit_log_is_verified(run: Run, refuse: Run, erp: Runtime) -> None:
    _say(erp)
    seal(erp.database)
    assert run("audit", "verify") == "The audit log is whole.\n"
    with erp.database.session() as session, session.begin():
        session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        session.execute(text("UPDATE audit_entries SET actor = 'user:eve'"))
    assert "does not fit from entry 1 on" in refuse("audit", "verify", code=1)


def test_an_empty_database_is_migrated(
    empty_database: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made: list[str] = []
    monkeypatch.setenv("CRM_DATABASE_URL", empty_database)
    bare = service("erp", first_run=lambda runtime: made.append(runtime.settings.database_url))
    with pytest.raises(SystemExit):
        cli.main(bare, ["migrate", "--wait", "0"])
    assert "After 0 s the database is not migrated to this version." in capsys.readouterr().err
    assert made == []
    cli.main(bare, ["migrate"])
    cli.main(bare, ["migrate", "--wait", "0"])
    with psycopg.connect(empty_database) as connection:
        connection.execute("SELECT FROM outbox")
    assert made == [empty_database]


_MAIN = """
from shared.cli import main
from tests.shared import ledger
main(ledger.service("erp", ledger.note_link_when_customer_linked))
"""


@pytest.fixture
def process(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`bus` as the command line starts it."""
    started = subprocess.Popen(
        [sys.executable, "-c", _MAIN, "bus"],
        env=os.environ | environment | {"PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield started
    started.kill()
    started.communicate()


def test_the_bus_process_works_until_sigterm(
    process: subprocess.Popen[str], erp: Runtime, environment: dict[str, str]
) -> None:
    def is_ready() -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(environment["CRM_HEALTH_PORT"]))):
                return False
        answer = httpx.get(f"http://127.0.0.1:{environment['CRM_HEALTH_PORT']}/readyz", timeout=10)
        return answer.status_code == 200

    eventually(is_ready, "it never became ready")
    _say(erp)
    eventually(lambda: noted(erp.database), "the fact had no effect")
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    (started,) = [json.loads(line) for line in log.splitlines() if "the bus process works" in line]
    assert (started["service"], started["role"]) == ("erp", "bus")
