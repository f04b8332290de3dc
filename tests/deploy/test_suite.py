"""A whole suite on this machine: it starts, survives what happens, and says in one sentence what is wrong."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import psycopg
import pytest

from deploy.local.problems import LocalProblem
from deploy.local.suite import ROOT, LocalSuite

MakeSuite = Callable[..., LocalSuite]


@pytest.fixture(scope="module")
def suite(make_suite: MakeSuite) -> LocalSuite:
    made = make_suite(only="sales")
    made.start()
    return made


def command(suite: LocalSuite, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", "--home", str(suite.home), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(suite: LocalSuite) -> str:
    return (suite.logs / "suite.log").read_text()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_every_process_is_ready_and_has_its_log(suite: LocalSuite) -> None:
    assert [suite.is_ready("sales", role) for role in ("web", "bus")] == [True, True]
    assert suite.record().state == "ready"
    assert suite.log("sales", "web").read_text()
    assert suite.url("sales") in said(suite)


def test_a_killed_process_is_started_again_and_reported(suite: LocalSuite) -> None:
    before = suite.process("sales", "web")
    suite.kill("sales", "web")
    wait_until(lambda: suite.process("sales", "web").pid != before.pid)
    suite.wait_ready("sales", "web")
    assert suite.process("sales", "web").restarts == before.restarts + 1
    wait_until(lambda: "sales web was ended by SIGKILL; it starts again in 0." in said(suite))


def test_a_restarted_process_is_another_one(suite: LocalSuite) -> None:
    before = suite.process("sales", "bus").pid
    suite.restart("sales", "bus")
    assert suite.process("sales", "bus").pid != before
    assert suite.is_ready("sales", "bus")


def test_a_process_that_is_held_down_stays_down(suite: LocalSuite) -> None:
    with suite.held_down("sales-web"):
        time.sleep(1.0)  # several times the pause before a restart
        assert not suite.is_ready("sales", "web")
        assert suite.is_ready("sales", "bus")
    suite.wait_ready("sales", "web")


def test_processes_outlive_the_database_and_are_ready_when_it_is_back(suite: LocalSuite) -> None:
    before = suite.process("sales", "bus").pid
    with suite.held_down("postgres"):
        wait_until(lambda: not suite.is_ready("sales", "bus"))
    suite.wait_ready()
    assert suite.process("sales", "bus").pid == before
    wait_until(lambda: "PostgreSQL had ended; it runs again." in said(suite))


def test_a_process_gets_its_own_secrets_only(suite: LocalSuite) -> None:
    environment = suite.environment("sales", "web")
    assert suite.secrets.password("sales") in environment["CRM_DATABASE_URL"]
    others = [
        suite.secrets.password("identity"),
        suite.secrets.password("bus"),
        suite.secrets.signing_key("identity"),
        suite.secrets.admin_client_secret(),
    ]
    assert not [value for value in environment.values() for secret in others if secret in value]
    assert stat.S_IMODE((suite.home / "secrets.json").stat().st_mode) == 0o600


def test_a_second_run_in_the_same_folder_is_refused(suite: LocalSuite) -> None:
    second = command(suite, "--ports", str(suite.port_offset))
    assert second.returncode == 1
    assert second.stderr == (
        f"The suite in {suite.home} runs already: `make status` shows it, `make stop` stops it.\n"
    )
    assert suite.is_ready("sales", "web")


def test_a_taken_port_is_one_sentence(suite: LocalSuite, make_suite: MakeSuite) -> None:
    other = make_suite(only="sales")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other.ports.http("sales")))
        taken.listen()
        with pytest.raises(LocalProblem) as problem:
            other.start()
    assert str(problem.value).startswith(
        f"Port {other.ports.http('sales')} (sales's API) is in use by another program: stop that program"
    )
    assert other.postgres.pid is None
    other.start()
    assert other.is_ready("sales", "web")


def test_a_process_that_cannot_start_is_named_with_its_reason(
    make_suite: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_LOG_LEVEL", "loud")
    other = make_suite(only="sales")
    with pytest.raises(LocalProblem) as problem:
        other.start()
    sentence = str(problem.value)
    assert sentence.startswith("The migrate step of sales failed (")
    assert "CRM_LOG_LEVEL" in sentence
    assert str(other.log("sales", "migrate")) in sentence
    assert other.postgres.pid is None
    assert not other.run_file.exists()


def test_status_shows_every_process(suite: LocalSuite) -> None:
    shown = command(suite, "status")
    assert shown.returncode == 0
    lines = {line[:9]: line.split() for line in shown.stdout.splitlines()}
    assert lines["sales web"][2:4] == ["yes", str(suite.process("sales", "web").pid)]
    assert lines["sales bus"][2:4] == ["yes", str(suite.process("sales", "bus").pid)]


def test_psql_opens_the_database_of_a_service(suite: LocalSuite) -> None:
    assert command(suite, "psql", "sales", "--", "-Atc", "SELECT current_user").stdout == "crm_sales\n"
    unknown = command(suite, "psql", "nobody")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "There is no service nobody: choose from sales and bus.\n",
    )


def test_commands_without_a_running_suite_say_so(make_suite: MakeSuite) -> None:
    answer = command(make_suite(only="sales"), "token")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "The suite is not running: start it with `make run`.\n"


def test_ctrl_c_stops_all_and_data_survives(make_suite: MakeSuite) -> None:
    suite = make_suite(only="sales")
    suite.start()
    with psycopg.connect(suite.database_url("sales")) as sales:
        sales.execute("CREATE TABLE kept ()")
    record = suite.record()
    supervisor = record.supervisor()
    os.kill(record.pid, signal.SIGINT)
    supervisor.wait(30)
    assert [process for process in record.processes if process.process()] == []
    assert suite.postgres.pid is None
    assert not suite.run_file.exists()

    suite.start()
    with psycopg.connect(suite.database_url("sales")) as sales:
        assert sales.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_after_a_killed_run_the_next_one_just_works(make_suite: MakeSuite) -> None:
    suite = make_suite(only="sales")
    suite.start()
    record = suite.record()
    supervisor = record.supervisor()
    supervisor.kill()
    supervisor.wait(10)
    suite.start()
    wait_until(lambda: "An earlier run was killed; what it left behind is cleared away." in said(suite))
    assert [process for process in record.processes if process.process()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a child that its parent died")
def test_nothing_runs_on_unattended_when_the_supervisor_is_killed(make_suite: MakeSuite) -> None:
    suite = make_suite(only="sales")
    suite.start()
    record = suite.record()
    members = [
        psutil.Process(member.pid)
        for known in record.processes
        for member in (known.process(), *known.process().children(recursive=True))
    ]
    record.supervisor().kill()
    _, alive = psutil.wait_procs(members, timeout=15)
    assert alive == []
    suite.postgres.stop()


@pytest.mark.kafka
def test_the_same_suite_runs_on_kafka(make_suite: MakeSuite, kafka_bootstrap: str) -> None:
    suite = LocalSuite(
        make_suite(only="sales").home,
        make_suite(only="sales").port_offset,
        "kafka",
        kafka_bootstrap,
        ("sales",),
    )
    suite.start()
    try:
        assert suite.environment("sales", "bus")["CRM_KAFKA_BOOTSTRAP"] == kafka_bootstrap
        assert f"Kafka at {kafka_bootstrap}" in said(suite)
        assert suite.is_ready("sales", "bus")
    finally:
        suite.stop()
