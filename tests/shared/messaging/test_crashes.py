"""kill -9 at every point between a change and its effect: nothing is lost, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, select

from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact
from shared.messaging.ingest import Ingest
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.relay import Relay
from shared.messaging.transport import OutgoingRecord, Publisher, ReceivedRecord, Subscriber
from shared.service import Runtime
from tests.shared import ledger
from tests.shared.ledger import LINKED, TOPIC, Link, LinkData, Links, facts, note, noted, service
from tests.shared.messaging.arrivals import inbox, step
from tests.shared.messaging.buses import eventually
from tests.shared.messaging.outages import die, killed

Handle = Callable[[Fact, Any], None]


@pytest.fixture
def as_child(erp: Runtime) -> Callable[..., Runtime]:
    """The same service as a process of its own sees it, optionally with another handler."""

    def start(handle: Handle = note) -> Runtime:
        again = service("erp", handles(LINKED, reads=LinkData)(handle))
        assert erp.settings.bus_database_url is not None
        return ledger.runtime(again, erp.settings.database_url, erp.settings.bus_database_url, erp.clock)

    return start


@pytest.fixture
def bus(bus_database: str) -> PostgresBus:
    return PostgresBus(bus_database)


def _say(runtime: Runtime, number: str = "1") -> None:
    with runtime.unit_of_work() as uow:
        Links(uow.session).add(Link.to(number))


def _relay(runtime: Runtime, open_publisher: Callable[[], Publisher]) -> Relay:
    return Relay(runtime.settings.database_url, open_publisher, "postgresql")


def _ingest(runtime: Runtime, open_subscriber: Callable[[], Subscriber]) -> Ingest:
    store = runtime.service.arrivals()
    return Ingest(
        runtime.settings.database_url, open_subscriber, store, runtime.clock, runtime.service.group, []
    )


def _relay_what_is_pending(erp: Runtime, bus: PostgresBus) -> None:
    relay = _relay(erp, bus.publisher)

    def nothing_is_pending() -> bool:
        relay.step()
        return all(fact.published_at for fact in facts(erp.database))

    eventually(nothing_is_pending, "the relay never became the leader")
    relay.close()


def _take_in(erp: Runtime, bus: PostgresBus) -> None:
    ingest = _ingest(erp, lambda: bus.subscriber("crm.erp", [TOPIC]))

    def everything_came() -> bool:
        ingest.step()
        return len(inbox(erp.database)) == len(facts(erp.database))

    eventually(everything_came, "the group was never taken over")
    # One more time, for what is delivered again.
    ingest.step()
    ingest.close()


def _finish(erp: Runtime, bus: PostgresBus) -> None:
    """Let new processes do what the killed one has left."""
    _relay_what_is_pending(erp, bus)
    _take_in(erp, bus)

    def everything_is_done() -> bool:
        step(erp)
        return all(row.state == "done" for row in inbox(erp.database))

    eventually(everything_is_done, "the killed worker's rows stayed locked")


def _sent(bus: PostgresBus) -> list[str]:
    return [record.headers["ce_id"] for record in bus.read(TOPIC)]


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.ingest.POLL_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def _nothing_happens_twice(_short_polls: None, erp: Runtime, bus: PostgresBus) -> Iterator[None]:
    """After every crash: what was committed has had its effect once, in order, and nothing else has."""
    yield
    _finish(erp, bus)
    with erp.database.session() as session:
        committed = sorted(session.scalars(select(Link.number)))
    assert sorted(number for _, _, number in noted(erp.database)) == committed
    assert set(_sent(bus)) == {str(fact.event_id) for fact in facts(erp.database)}


def _die_before_commit(runtime: Runtime) -> None:
    event.listen(runtime.database.engine, "commit", lambda connection: die())


def test_a_writer_killed_before_its_commit_has_said_nothing(
    erp: Runtime, as_child: Callable[..., Runtime]
) -> None:
    def write() -> None:
        child = as_child()
        _die_before_commit(child)
        _say(child, "never")

    _say(erp, "kept")
    killed(write)
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1]
    with erp.database.session() as session:
        assert session.scalars(select(Link.number)).all() == ["kept"]


def test_a_writer_killed_right_after_its_commit_is_heard(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    def write() -> None:
        _say(as_child(), "kept")
        die()

    killed(write)
    _finish(erp, bus)
    assert [number for _, _, number in noted(erp.database)] == ["kept"]


class _DyingPublisher:
    """Dies before or after it sends."""

    def __init__(self, real: Publisher, *, sends: bool) -> None:
        self._real = real
        self._sends = sends

    def publish(self, records: Sequence[OutgoingRecord]) -> list[Exception | None]:
        if self._sends:
            self._real.publish(records)
        die()

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize(("sends", "times_sent"), [(False, 1), (True, 2)])
def test_a_relay_killed_before_it_marks_sends_again(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus, sends: bool, times_sent: int
) -> None:
    def relay() -> None:
        _relay(as_child(), lambda: _DyingPublisher(bus.publisher(), sends=sends)).step()

    _say(erp, "1")
    _say(erp, "2")
    killed(relay)
    assert [fact.published_at for fact in facts(erp.database)] == [None, None]
    _finish(erp, bus)
    assert _sent(bus) == [str(fact.event_id) for fact in facts(erp.database)] * times_sent


def test_a_relay_killed_after_it_has_marked_sends_once(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    def relay() -> None:
        _relay(as_child(), bus.publisher).step()
        die()

    _say(erp, "1")
    killed(relay)
    _finish(erp, bus)
    assert len(_sent(bus)) == 1


class _DyingSubscriber:
    """Delivers, and dies when it is told that everything is stored, or right after it has passed that on."""

    def __init__(self, real: Subscriber, *, commits: bool) -> None:
        self._real = real
        self._commits = commits

    def poll(self, timeout: float) -> list[ReceivedRecord]:
        return self._real.poll(timeout)

    def commit(self) -> None:
        if self._commits:
            self._real.commit()
        die()

    def lag(self) -> dict[tuple[str, int], int]:
        return self._real.lag()

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("commits", [False, True])
def test_an_ingest_killed_after_its_insert_stores_nothing_twice(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus, commits: bool
) -> None:
    def take_in() -> None:
        def subscribe() -> Subscriber:
            return _DyingSubscriber(bus.subscriber("crm.erp", [TOPIC]), commits=commits)

        _ingest(as_child(), subscribe).step()

    _say(erp, "1")
    _relay_what_is_pending(erp, bus)
    killed(take_in)
    assert len(inbox(erp.database)) == 1


def test_an_ingest_killed_in_its_insert_has_stored_nothing(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    def take_in() -> None:
        child = as_child()
        records = bus.subscriber("crm.erp", [TOPIC]).poll(5)
        with psycopg.connect(child.settings.database_url) as connection:
            child.service.arrivals().store(connection, records, child.clock.now())
            die()

    _say(erp, "1")
    _relay_what_is_pending(erp, bus)
    killed(take_in)
    assert inbox(erp.database) == []


def _note_and_die(fact: Fact, uow: Any) -> None:
    note(fact, uow)
    die()


def test_a_worker_killed_inside_a_handler_has_done_nothing(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    _say(erp, "1")
    _relay_what_is_pending(erp, bus)
    _take_in(erp, bus)
    killed(lambda: step(as_child(_note_and_die)))
    assert noted(erp.database) == []
    assert [row.state for row in inbox(erp.database)] == ["ready"]


def test_a_worker_killed_before_its_commit_has_done_nothing(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    def work() -> None:
        child = as_child()
        _die_before_commit(child)
        step(child)

    for number in ("1", "2", "3"):
        _say(erp, number)
    _relay_what_is_pending(erp, bus)
    _take_in(erp, bus)
    killed(work)
    assert noted(erp.database) == []


def test_a_worker_killed_after_its_commit_is_done(
    erp: Runtime, as_child: Callable[..., Runtime], bus: PostgresBus
) -> None:
    def work() -> None:
        step(as_child())
        die()

    _say(erp, "1")
    _relay_what_is_pending(erp, bus)
    _take_in(erp, bus)
    killed(work)
    assert [row.state for row in inbox(erp.database)] == ["done"]
    assert len(noted(erp.database)) == 1
