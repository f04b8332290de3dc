"""All threads of a service together: the way of a fact, health, outages, a graceful end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import select, text

from deploy.local.problems import free_port
from shared.db.plumbing import AUDIT_ENTRIES, OUTSIDE_COMMANDS
from shared.kernel.clock import FixedClock, SystemClock
from shared.messaging import bus_process, ingest
from shared.messaging.bus_process import BusProcess
from shared.messaging.commands import Command
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact
from shared.messaging.loop import Loop
from shared.messaging.replay_command import REPLAY
from shared.service import Runtime, Service
from tests.shared import ledger
from tests.shared.ledger import EFFECTS, LINKED, MORNING, LinkData, facts, note, noted, service
from tests.shared.messaging.buses import eventually
from tests.shared.messaging.outages import away, ended, in_child

Start = Callable[[Service], Runtime]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.loop.LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(ingest, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(bus_process, "HINT_SECONDS", 0.05)


@pytest.fixture
def run() -> Iterator[Callable[[Runtime], BusProcess]]:
    """Starts the bus process of a service and stops it after the test."""
    started: list[BusProcess] = []

    def start(runtime: Runtime) -> BusProcess:
        started.append(BusProcess(runtime))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.stop()


def _say(runtime: Runtime, number: str) -> ledger.Link:
    with runtime.unit_of_work() as uow:
        return ledger.Links(uow.session).add(ledger.Link.to(number))


def _numbers(runtime: Runtime) -> list[str]:
    return [number for _, _, number in noted(runtime.database)]


def _heard(runtime: Runtime, *numbers: str) -> None:
    eventually(lambda: _numbers(runtime) == list(numbers), f"not heard: {numbers}")


def _get(runtime: Runtime, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{runtime.settings.health_port}{path}", timeout=10)


def _state(runtime: Runtime) -> str:
    state: str = _get(runtime, "/readyz").json()["state"]
    return state


def test_a_fact_of_one_service_has_its_effect_in_another(
    start_service: Start, run: Callable[[Runtime], BusProcess]
) -> None:
    erp = start_service(service("erp"))
    sales = start_service(service("sales", ledger.note_link_when_customer_linked))
    run(erp)
    run(sales)
    link = _say(erp, "1")
    with erp.unit_of_work() as uow:
        ledger.Links(uow.session).get(link.id, expected_version=1).move("2")
    eventually(lambda: len(noted(sales.database)) == 2, "the facts had no effect")
    assert noted(sales.database) == [(str(link.id), 1, "1"), (str(link.id), 2, "2")]
    assert noted(erp.database) == []


def test_health_is_answered_over_http(erp: Runtime, run: Callable[[Runtime], BusProcess]) -> None:
    run(erp)
    assert _get(erp, "/livez").json() == {"alive": True}
    assert _get(erp, "/startupz").status_code == 200
    ready = _get(erp, "/readyz?verbose")
    assert (ready.status_code, ready.json()) == (200, {"state": "ready", "failing": []})
    metrics = _get(erp, "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "crm_relay_leader" in metrics.text
    assert _get(erp, "/").status_code == 404


def test_a_database_that_is_not_migrated_is_not_ready(
    erp: Runtime, run: Callable[[Runtime], BusProcess]
) -> None:
    run(erp)
    with erp.database.session() as session, session.begin():
        session.execute(text("UPDATE alembic_version_shared SET version_num = '0001'"))
    answer = _get(erp, "/readyz")
    assert (answer.status_code, answer.json()["state"]) == (503, "unready")
    assert answer.json()["reason"] == "the database is not migrated to this version"


def test_a_loop_that_hangs_is_not_alive(start_service: Start, run: Callable[[Runtime], BusProcess]) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    class Hanging(Loop):
        def step(self) -> bool:
            at_work.set()
            go_on.wait(20)
            return False

    hanging = Hanging("hanging")
    erp = start_service(service("erp", loops=lambda runtime: [hanging]))
    process = run(erp)
    at_work.wait(5)
    assert process.is_alive() is True
    hanging.last_beat -= bus_process.STALL_SECONDS
    assert (process.is_alive(), _get(erp, "/livez").status_code) == (False, 503)
    go_on.set()
    eventually(process.is_alive, "it goes on")


def test_a_broker_that_is_away_degrades_and_everything_is_sent_afterwards(
    erp: Runtime, run: Callable[[Runtime], BusProcess], bus_database: str
) -> None:
    run(erp)
    _say(erp, "before")
    _heard(erp, "before")
    with away(bus_database):
        eventually(lambda: _state(erp) == "degraded", "the outage was not noticed")
        answer = _get(erp, "/readyz")
        assert (answer.status_code, answer.json()["failing"]) == (200, ["ingest"])
        _say(erp, "meanwhile")
        eventually(lambda: "relay" in _get(erp, "/readyz").json()["failing"], "the relay does not try")
        assert [fact.published_at is None for fact in facts(erp.database)] == [False, True]
        assert _get(erp, "/livez").status_code == 200
    _heard(erp, "before", "meanwhile")
    eventually(lambda: _state(erp) == "ready", "the outage is over")


def test_a_database_that_is_away_is_unready_and_work_goes_on_afterwards(
    erp: Runtime, run: Callable[[Runtime], BusProcess]
) -> None:
    run(erp)
    _say(erp, "before")
    _heard(erp, "before")
    with away(erp.settings.database_url):
        eventually(lambda: _get(erp, "/readyz").status_code == 503, "the outage was not noticed")
        assert "cannot be reached" in _get(erp, "/readyz").json()["reason"]
        assert _get(erp, "/livez").status_code == 200
    eventually(lambda: _state(erp) == "ready", "the outage is over")
    _say(erp, "after")
    _heard(erp, "before", "after")


def test_timers_outside_commands_and_the_audit_are_at_work_too(
    start_service: Start, run: Callable[[Runtime], BusProcess]
) -> None:
    class Outside:
        can_find = True

        def find(self, command: Command) -> None:
            """Nothing was done before."""

        def perform(self, command: Command) -> str:
            return "performed"

        def record(self, command: Command, result: str, uow: Any) -> None:
            uow.session.execute(
                EFFECTS.insert().values(event_id="c", subject=command.key, version=0, number=result)
            )

        def record_failure(self, command: Command, error: BaseException, uow: Any) -> None:
            raise AssertionError(error)

    def remind(timer: Any, uow: Any) -> None:
        uow.session.execute(EFFECTS.insert().values(event_id="t", subject="t", version=0, number="reminded"))

    erp = start_service(
        service("erp", timers={"remind": remind}, commands=lambda runtime: {"call": Outside()})
    )
    run(erp)
    link = _say(erp, "1")
    with erp.unit_of_work() as uow:
        uow.timers.set("customer", link.id, "remind", MORNING)
        uow.commands.add("call", "k", {})
    eventually(lambda: sorted(_numbers(erp)) == ["performed", "reminded"], "they did not work")

    def is_sealed() -> bool:
        with erp.database.session() as session:
            return session.scalars(select(AUDIT_ENTRIES.c.seq)).all() == [1]

    eventually(is_sealed, "the audit entry was not sealed")


def test_a_replay_that_was_asked_for_is_carried_out(
    erp: Runtime, run: Callable[[Runtime], BusProcess]
) -> None:
    run(erp)
    _say(erp, "1")
    _heard(erp, "1")
    with erp.database.session() as session, session.begin():
        session.execute(text("DELETE FROM inbox"))
        session.execute(text("DELETE FROM effects"))
    with erp.unit_of_work() as uow:
        uow.commands.add(REPLAY, REPLAY, {"topic": ledger.TOPIC, "key": None, "dry_run": False})
    _heard(erp, "1")

    def result() -> Any:
        with erp.database.session() as session:
            return session.execute(select(OUTSIDE_COMMANDS.c.payload)).scalar_one().get("result")

    assert eventually(result, "the result was not kept") == {"read": 1, "missing": 1, "dry_run": False}


def test_a_service_has_loops_of_its_own_beside_the_usual_ones(
    start_service: Start, run: Callable[[Runtime], BusProcess]
) -> None:
    class Counting(Loop):
        follows_ingest = True
        steps = 0

        def step(self) -> bool:
            self.steps += 1
            return False

    own = Counting("own", interval=60)
    handler = ledger.note_link_when_customer_linked
    erp = start_service(service("erp", handler, loops=lambda runtime: [own]))
    run(erp)
    _say(erp, "1")
    _heard(erp, "1")
    eventually(lambda: own.steps >= 2, "it was not woken by the fact")


def test_a_stop_lets_the_handler_at_work_finish_and_begins_no_other(start_service: Start) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slow(fact: Fact, uow: Any) -> None:
        note(fact, uow)
        at_work.set()
        go_on.wait(10)

    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(slow)))
    process = BusProcess(erp)
    process.start()
    with erp.unit_of_work() as uow:
        for number in ("1", "2", "3"):
            ledger.Links(uow.session).add(ledger.Link.to(number))
    assert at_work.wait(20)
    stopping = threading.Thread(target=process.stop)
    stopping.start()
    eventually(lambda: all(loop.stopping for loop in process.loops), "nobody was asked to stop")
    go_on.set()
    stopping.join(20)
    assert not stopping.is_alive()
    assert len(_numbers(erp)) == 1
    with pytest.raises(httpx.ConnectError):
        _get(erp, "/livez")
    with psycopg.connect(erp.settings.database_url) as connection:
        ((left,),) = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert left == 0


def test_sigterm_ends_a_process_that_has_done_its_work(erp: Runtime) -> None:
    settings = replace(erp.settings, health_port=free_port())

    def work() -> None:
        BusProcess(Runtime.start(erp.service, settings, role="bus", clock=SystemClock())).run()

    pid = in_child(work)
    _say(erp, "1")
    _heard(erp, "1")
    os.kill(pid, signal.SIGTERM)
    status = ended(pid)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_log_keeps_a_services_records_as_long_as_its_topics_say(
    erp: Runtime, run: Callable[[Runtime], BusProcess], bus_database: str
) -> None:
    topics = ("crm.erp.customer", "crm.erp.dlq", "crm.sales.order")
    with psycopg.connect(bus_database, autocommit=True) as log:
        for topic in topics:
            for days in (91, 15, 13):
                log.execute(
                    "INSERT INTO log (topic, key, headers, value, appended_at)"
                    " VALUES (%s, 'k', '{}', '', %s - make_interval(days => %s))",
                    (topic, MORNING, days),
                )
        run(erp)
        count = "SELECT count(*) FROM log WHERE topic = %s"

        def kept() -> list[int]:
            return [log.execute(count, (topic,)).fetchall()[0][0] for topic in topics]

        # Dead letters are kept for 90 days; what another service says is its own affair.
        eventually(lambda: kept() == [1, 2, 3], f"kept: {kept()}")


def test_a_process_without_handlers_still_sends(
    start_service: Start, run: Callable[[Runtime], BusProcess], clock: FixedClock
) -> None:
    identity = start_service(service("identity"))
    process = run(identity)
    assert {loop.name for loop in process.loops} == {
        "relay",
        "retention",
        "audit sealer",
        "gauges",
        "housekeeper",
        "hints",
    }
    _say(identity, "1")
    eventually(lambda: facts(identity.database)[0].published_at, "the fact was not sent")
