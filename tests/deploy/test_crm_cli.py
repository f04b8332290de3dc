"""The operator's command line against a running suite: what it shows, what it does, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy.local.suite import ROOT, LocalSuite
from deploy.operator.__main__ import main
from deploy.operator.places import RemotePlace
from deploy.operator.status import complaints
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from shared.observability.lookout import Address, Health

TOPIC = "crm.identity.team"
TYPE = "crm.identity.team.changed.v1"
SALES = Address("sales", "http://sales.test", "http://sales-bus.test")
IDENTITY = Address("identity", "http://identity.test", "http://identity-bus.test")


@pytest.fixture(scope="module")
def suite(make_suite: Callable[..., LocalSuite]) -> LocalSuite:
    made = make_suite(only="identity,sales")
    made.start()
    return made


def crm(suite: LocalSuite, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(suite.home), *arguments])


def publish(suite: LocalSuite, value: bytes) -> str:
    """Put a team that no contract allows on the bus; the fact's id."""
    event_id, subject = new_id(), str(new_id())
    headers = to_headers(
        event_id=event_id,
        source="/crm/identity",
        event_type=TYPE,
        subject=subject,
        time=datetime.now(UTC),
        dataschema="urn:crm:schema:test",
        key=subject,
        version=1,
        correlation_id=new_id(),
        causation_id=None,
        actor_id="system:tests",
        data_class="none",
        traceparent=None,
    )
    publisher = PostgresBus(suite.bus_database_url()).publisher()
    assert publisher.publish([OutgoingRecord(TOPIC, subject, headers, value)]) == [None]
    publisher.close()
    return str(event_id)


def letters(suite: LocalSuite) -> dict[str, dict[str, object]]:
    shown = crm(suite, "dlq", "list", "sales", "--json")
    assert shown.exit_code == 0, shown.output
    return {letter["event_id"]: letter for letter in map(json.loads, shown.stdout.splitlines())}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def letter(suite: LocalSuite) -> Iterator[str]:
    """The id of a dead letter of sales; skipped at the end, so that each test finds the suite well."""
    event_id = publish(suite, b'{"name": 7}')
    wait_until(lambda: event_id in letters(suite))
    yield event_id
    crm(suite, "dlq", "skip", "sales", event_id, "--reason", "the test is over")


def test_a_suite_that_is_well_is_said_to_be(suite: LocalSuite) -> None:
    wait_until(lambda: crm(suite, "status").exit_code == 0)
    lines = crm(suite, "status").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["identity", "ready", "ready"],
        ["sales", "ready", "ready"],
    ]
    assert lines[3] == "ERP: 0 orders waiting; 0 on the way in, 0 open calls."
    assert lines[4:] == ["All is well."]


def test_status_names_what_is_wrong_and_the_command_that_shows_more() -> None:
    figures = {
        "crm_inbox_dead": 2.0,
        "crm_inbox_blocked_keys": 1.0,
        "crm_outbox_oldest_age_seconds": 300.0,
        "crm_inbox_oldest_age_seconds": 59.0,
    }
    assert complaints([Health(SALES, "ready", "degraded", ("relay",), figures)]) == [
        "sales: its bus process is degraded, these fail: relay.",
        "sales: a fact has waited 5 min to be sent: crm outbox list sales",
        "sales: 2 dead letters: crm dlq list sales",
        "sales: 1 key blocked behind them.",
    ]
    well = {"crm_consumer_lag": 0.0}
    assert complaints([Health(SALES, "ready", "ready", (), well)]) == []
    assert complaints([Health(SALES, "silent", "ready", (), well)]) == ["sales: its API is silent."]


def test_a_service_is_not_said_to_be_well_before_it_is_known_how_far_it_has_read() -> None:
    assert complaints([Health(SALES, "ready", "ready", (), {})]) == [
        "sales: how far it has read is not known yet; look again in some seconds."
    ]
    # One that reads nothing has nothing to tell.
    assert complaints([Health(IDENTITY, "ready", "ready", (), {})]) == []


def test_a_letter_is_listed_shown_and_exported(suite: LocalSuite, letter: str) -> None:
    listed = crm(suite, "dlq", "list").stdout
    assert letter in listed
    assert "cannot read" in listed
    assert "[...]" not in listed
    shown = json.loads(crm(suite, "dlq", "show", "sales", letter).stdout)
    assert (shown["payload"], shown["topic"], shown["state"]) == ('{"name": 7}', TOPIC, "dead")
    (exported,) = map(json.loads, crm(suite, "dlq", "export", "sales").stdout.splitlines())
    assert exported == shown
    assert crm(suite, "dlq", "list", "identity").stdout == "None.\n"


def test_a_letter_that_is_retried_may_die_again_and_one_that_is_skipped_is_gone(
    suite: LocalSuite, letter: str
) -> None:
    received = letters(suite)[letter]["done_at"], letters(suite)[letter]["attempts"]
    assert crm(suite, "dlq", "retry", "sales", letter).exit_code == 0
    wait_until(lambda: letter in letters(suite))
    assert (letters(suite)[letter]["done_at"], letters(suite)[letter]["attempts"]) == received
    assert crm(suite, "dlq", "retry", "sales", "--all").stdout.startswith("1 tried again")
    wait_until(lambda: letter in letters(suite))
    skipped = crm(suite, "dlq", "skip", "sales", letter, "--reason", "made by a test")
    assert skipped.stdout == f"{letter} is skipped; its key moves on.\n"
    assert letters(suite) == {}
    with psycopg.connect(suite.database_url("sales")) as sales:
        row = sales.execute("SELECT state, last_error FROM inbox WHERE event_id = %s", (letter,)).fetchone()
        audited = sales.execute(
            "SELECT count(*) FROM audit_entries WHERE object LIKE %s", (f"%{letter}",)
        ).fetchone()
    assert row == ("skipped", "skipped: made by a test")
    assert audited == (3,)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dlq", "show", "sales", "nothing"), "sales has no dead letter nothing: `crm dlq list sales` shows"),
        (("dlq", "list", "nobody"), "There is no service nobody: choose from identity, sales."),
        (("migrate", "nobody"), "There is no service nobody: choose from identity, sales."),
        (("service", "nobody", "dlq"), "There is no service nobody: choose from identity, sales."),
        (("outbox", "resend", "sales", str(new_id())), "sales: "),
        (("replay", "sales", "--topic", "crm.nothing"), "There is no topic crm.nothing"),
        (("call", "GET", "sales", "/v1/nothing"), "sales: There is nothing at this address. (404)"),
        (
            ("call", "POST", "sales", "/v1/accounts", "{}"),
            "sales: Correct the fields named in errors and send the request again. /name: Missing data",
        ),
        (("topics", "--create"), "The suite runs on the embedded bus, which needs no topics."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    suite: LocalSuite, arguments: tuple[str, ...], says: str
) -> None:
    answer = crm(suite, *arguments)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(says)
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("dlq", "retry", "sales"),
        ("dlq", "retry", "sales", "x", "--all"),
        ("dlq", "skip", "sales", "x"),
        ("replay", "sales", "--topic", TOPIC, "--key", "k", "--from-time", "2026-01-01"),
    ],
)
def test_half_a_command_does_nothing_and_is_explained(suite: LocalSuite, arguments: tuple[str, ...]) -> None:
    answer = crm(suite, *arguments)
    assert answer.exit_code == 2
    assert "Error: " in answer.stderr


def test_a_replay_brings_back_what_a_service_lost(suite: LocalSuite) -> None:
    with psycopg.connect(suite.database_url("sales")) as sales:
        lost = sales.execute(
            "DELETE FROM inbox WHERE topic = 'crm.identity.user' AND state = 'done' RETURNING event_id"
        ).fetchall()
    assert lost
    arguments = ("replay", "sales", "--topic", "crm.identity.user")
    said = f"{len(lost)} were missing"
    assert said + " (dry run)" in crm(suite, *arguments, "--dry-run").stdout
    assert said + ", now stored" in crm(suite, *arguments).stdout
    assert "0 were missing" in crm(suite, *arguments, "--from-time", "2026-01-01").stdout
    assert "0 read" in crm(suite, *arguments, "--key", "nobody").stdout


def test_a_fact_is_sent_again_under_its_own_id(suite: LocalSuite) -> None:
    bus = PostgresBus(suite.bus_database_url())
    before = [record.headers["ce_id"] for record in bus.read("crm.identity.user")]
    again = crm(suite, "outbox", "resend", "identity", before[0])
    assert again.stdout == f"{before[0]} will be sent again.\n"
    wait_until(lambda: [r.headers["ce_id"] for r in bus.read("crm.identity.user")] == [*before, before[0]])
    assert crm(suite, "outbox", "list").stdout == "None.\n"


def test_commands_of_a_service_run_with_its_own_settings(
    suite: LocalSuite, capfd: pytest.CaptureFixture[str]
) -> None:
    assert crm(suite, "service", "sales", "audit", "verify").exit_code == 0
    assert capfd.readouterr().out == "The audit log is whole.\n"
    assert crm(suite, "migrate", "identity").stdout == "identity is at the newest version.\n"
    assert crm(suite, "service", "sales", "nonsense").exit_code == 2


def test_a_call_carries_what_the_api_asks_for(suite: LocalSuite) -> None:
    made = json.loads(crm(suite, "call", "POST", "sales", "/v1/accounts", '{"name": "Acme"}').stdout)
    path = f"/v1/accounts/{made['id']}"
    stale = crm(suite, "call", "PATCH", "sales", path, '{"name": "Acme Ltd"}', "--version", "7")
    assert "(412)" in stale.stderr
    changed = crm(
        suite, "call", "patch", "sales", path, '{"name": "Acme Ltd"}', "--version", str(made["version"])
    )
    assert json.loads(changed.stdout)["name"] == "Acme Ltd"
    assert "BODY is no JSON" in crm(suite, "call", "POST", "sales", "/v1/accounts", "{").stderr


def test_the_token_opens_the_api(suite: LocalSuite) -> None:
    token = crm(suite, "token").stdout.strip()
    answer = httpx.get(f"{suite.url('sales')}/v1/accounts", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_a_suite_elsewhere_is_reached_by_its_addresses(
    suite: LocalSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_URL", suite.url("sales").replace(str(suite.ports.http("sales")), "{service}"))
    answer = crm(suite, "dlq", "list", "sales")
    assert answer.stderr == "Set CRM_TOKEN, or CRM_CLIENT_ID and CRM_CLIENT_SECRET, to say who you are.\n"
    monkeypatch.setenv("CRM_TOKEN", suite.token())
    # No name server knows a service here, so the address itself stands for one.
    monkeypatch.setattr(RemotePlace, "_of", staticmethod(lambda service, _: suite.url(service)))
    assert crm(suite, "dlq", "list", "sales").stdout == "None.\n"
    monkeypatch.setenv("CRM_TOKEN", "nonsense")
    assert "(401)" in crm(suite, "dlq", "list", "sales").stderr


def test_an_address_names_the_place_of_the_service() -> None:
    place = RemotePlace(
        {"CRM_URL": "https://crm.test/api/{service}/", "CRM_BUS_URL": "http://{service}-bus:9000"}
    )
    assert place.address("sales") == Address("sales", "https://crm.test/api/sales", "http://sales-bus:9000")


def test_without_a_suite_it_says_how_to_start_one(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["--home", str(tmp_path), "status"])
    assert (answer.exit_code, answer.stderr) == (1, "The suite is not running: start it with `make run`.\n")


def test_it_runs_from_any_folder(suite: LocalSuite, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "crm"), "--home", str(suite.home), "topics"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line.split()[:2] for line in done.stdout.splitlines() if line.startswith(TOPIC)] == [
        [TOPIC, "12"]
    ]


def test_every_command_explains_itself() -> None:
    def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        yield path, command
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                yield from walk(command.commands[name], f"{path} {name}")

    silent = [path for path, command in walk(main, "crm") if not (command.help or "").strip()]
    assert silent == []
