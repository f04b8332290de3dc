"""Committed facts reach the broker: all of them, in order per key, whatever happens to one of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import select, text

from shared.db.plumbing import AUDIT_ENTRIES
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import NotFound
from shared.messaging import outbox
from shared.messaging import relay as relay_module
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.relay import Relay
from shared.messaging.transport import BusUnavailable
from shared.service import Runtime
from tests.shared.ledger import LINKED, TOPIC, Link, Links, facts
from tests.shared.messaging.publishers import MoodyBroker, published


@pytest.fixture
def broker(bus_database: str) -> MoodyBroker:
    return MoodyBroker(bus_database)


@pytest.fixture
def start_relay(erp: Runtime, broker: MoodyBroker) -> Iterator[Callable[[], Relay]]:
    """Makes relays of the service and closes them at the end."""
    made: list[Relay] = []

    def start() -> Relay:
        made.append(Relay(erp.settings.database_url, broker.publisher, "postgresql"))
        return made[-1]

    yield start
    for relay in made:
        relay.close()


@pytest.fixture
def relay(start_relay: Callable[[], Relay]) -> Relay:
    return start_relay()


def _drain(relay: Relay) -> None:
    while relay.step():
        pass


def _take_over(relay: Relay) -> None:
    """Drain once the server has noticed that the other leader's session is gone."""
    patience = time.monotonic() + 10
    while not relay.leads and time.monotonic() < patience:
        relay.step()
        time.sleep(0.005)
    _drain(relay)


def _say(erp: Runtime, *keys: str) -> list[uuid.UUID]:
    """Commit a fact per key, as facts of an aggregate each."""
    with erp.unit_of_work() as uow:
        return [_told(uow, key).id for key in keys]


def _told(uow: UnitOfWork, key: str) -> Link:
    link = Link()
    link.move("1", key=key)
    return Links(uow.session).add(link)


def _pending(erp: Runtime) -> list[str]:
    return [fact.partition_key for fact in facts(erp.database) if fact.published_at is None]


def _pauses_end(erp: Runtime, when: str) -> None:
    """Every pause ends so long from now, however slow the machine is."""
    with erp.database.session() as session, session.begin():
        session.execute(
            text(
                "UPDATE outbox SET next_attempt_at = clock_timestamp() + CAST(:when AS interval)"
                " WHERE next_attempt_at IS NOT NULL"
            ),
            {"when": when},
        )


def test_committed_facts_are_sent_and_marked(erp: Runtime, relay: Relay, bus_database: str) -> None:
    (link_id,) = _say(erp, "k")
    _drain(relay)
    assert relay.step() is False
    (record,) = PostgresBus(bus_database).read(TOPIC)
    (fact,) = facts(erp.database)
    assert (record.key, record.headers, record.value) == ("k", fact.headers, fact.payload)
    assert record.headers["ce_subject"] == str(link_id)
    assert (record.headers["ce_type"], record.headers["ce_source"]) == (LINKED, "/crm/erp")
    assert orjson.loads(record.value)["erp_customer_id"] == "1"
    assert fact.published_at is not None


def test_uncommitted_facts_are_never_seen(erp: Runtime, relay: Relay, bus_database: str) -> None:
    with pytest.raises(RuntimeError), erp.unit_of_work() as uow:
        _told(uow, "k")
        uow.flush()
        _drain(relay)
        raise RuntimeError
    _drain(relay)
    assert published(bus_database, TOPIC) == []


def test_a_slow_transaction_with_a_lower_number_is_sent_too(
    erp: Runtime, relay: Relay, bus_database: str
) -> None:
    slow = erp.unit_of_work()
    with slow:
        _told(slow, "slow")
        slow.flush()
        _say(erp, "quick")
        _drain(relay)
        assert [key for key, _ in published(bus_database, TOPIC)] == ["quick"]
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["quick", "slow"]
    assert [fact.partition_key for fact in facts(erp.database)] == ["slow", "quick"]


def test_facts_of_a_key_are_sent_in_order_over_many_batches(
    erp: Runtime, relay: Relay, bus_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH", 4)
    with erp.unit_of_work() as uow:
        links = [Links(uow.session).add(Link.to("1")) for _ in range(3)]
        for number in range(2, 8):
            for link in links:
                link.move(str(number))
    _drain(relay)
    for link in links:
        versions = [version for key, version in published(bus_database, TOPIC) if key == str(link.id)]
        assert versions == ["1", "2", "3", "4", "5", "6", "7"]


def test_large_facts_do_not_add_up_in_one_batch(
    erp: Runtime, relay: Relay, bus_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH_BYTES", 1)
    _say(erp, "a", "b")
    relay.step()
    assert [key for key, _ in published(bus_database, TOPIC)] == ["a"]
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["a", "b"]


def test_there_is_one_leader_until_it_goes(
    erp: Runtime, start_relay: Callable[[], Relay], bus_database: str
) -> None:
    first, second = start_relay(), start_relay()
    first.step()
    second.step()
    assert (first.leads, second.leads) == (True, False)
    _say(erp, "k")
    assert second.step() is False
    assert published(bus_database, TOPIC) == []
    first.close()
    _take_over(second)
    assert second.leads
    assert published(bus_database, TOPIC) == [("k", "1")]


def test_a_leader_that_loses_its_session_stops_leading(
    erp: Runtime, start_relay: Callable[[], Relay], bus_database: str
) -> None:
    first, second = start_relay(), start_relay()
    first.step()
    with erp.database.session() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'relay' AND datname = current_database()"
            )
        )
    with pytest.raises(psycopg.OperationalError):
        first.step()
    first.recover()
    assert not first.leads
    _say(erp, "k")
    _take_over(second)
    assert second.leads
    assert first.step() is False
    assert published(bus_database, TOPIC) == [("k", "1")]


def test_a_failing_key_backs_off_alone(
    erp: Runtime, relay: Relay, broker: MoodyBroker, bus_database: str
) -> None:
    broker.fails = {"bad"}
    _say(erp, "bad", "good", "bad")
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["good"]
    failed, _, withheld = facts(erp.database)
    assert (failed.attempts, failed.last_error) == (1, "this one timed out")
    assert failed.next_attempt_at is not None
    assert (withheld.attempts, withheld.next_attempt_at) == (0, None)

    _pauses_end(erp, "1 hour")
    broker.fails = set()
    _say(erp, "bad", "good")
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["good", "good"]
    _pauses_end(erp, "0")
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)][2:] == ["bad", "bad", "bad"]
    assert _pending(erp) == []


def test_the_same_key_of_another_topic_does_not_wait(
    erp: Runtime, relay: Relay, broker: MoodyBroker, bus_database: str
) -> None:
    broker.fails = {"k"}
    _say(erp, "k")
    _drain(relay)
    _pauses_end(erp, "1 hour")
    broker.fails = set()
    _say(erp, "k")
    with erp.database.session() as session, session.begin():
        session.execute(text("UPDATE outbox SET topic = 'crm.erp.order' WHERE attempts = 0"))
    _drain(relay)
    assert published(bus_database, TOPIC) == []
    assert published(bus_database, "crm.erp.order") == [("k", "1")]


def test_a_refused_fact_parks_its_whole_key(
    erp: Runtime, relay: Relay, broker: MoodyBroker, bus_database: str
) -> None:
    broker.refuses = {"bad"}
    _say(erp, "bad", "good", "bad")
    _drain(relay)
    parked = facts(erp.database)[0]
    assert parked.parked_at is not None
    assert (parked.attempts, parked.last_error) == (1, "too large")
    broker.refuses = set()
    _say(erp, "bad", "good")
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["good", "good"]
    assert _pending(erp) == ["bad", "bad", "bad"]


def test_a_parked_fact_that_is_sent_again_frees_its_key(
    erp: Runtime, relay: Relay, broker: MoodyBroker, bus_database: str
) -> None:
    broker.refuses = {"bad"}
    _say(erp, "bad", "bad")
    _drain(relay)
    broker.refuses = set()
    with erp.unit_of_work() as uow:
        (shown,) = outbox.unpublished(uow.session, parked=True)
        outbox.resend(uow.session, shown["event_id"])
    _drain(relay)
    ids = [record.headers["ce_id"] for record in PostgresBus(bus_database).read(TOPIC)]
    assert ids == [str(fact.event_id) for fact in facts(erp.database)]
    assert _pending(erp) == []


def test_a_published_fact_is_sent_again_under_its_own_id(
    erp: Runtime, relay: Relay, bus_database: str
) -> None:
    _say(erp, "k")
    _drain(relay)
    event_id = facts(erp.database)[0].event_id
    with erp.unit_of_work() as uow:
        outbox.resend(uow.session, event_id)
    _drain(relay)
    sent = list(PostgresBus(bus_database).read(TOPIC))
    assert [record.headers["ce_id"] for record in sent] == [str(event_id)] * 2


def test_sending_again_is_audited_and_needs_a_fact(erp: Runtime) -> None:
    (link_id,) = _say(erp, "k")
    event_id = facts(erp.database)[0].event_id
    with erp.database.session() as session, session.begin():
        session.execute(AUDIT_ENTRIES.update().values(action="earlier"))
        outbox.resend(session, event_id)
    with erp.database.session() as session:
        entry = session.execute(select(AUDIT_ENTRIES).where(AUDIT_ENTRIES.c.action != "earlier")).one()
        assert (entry.action, entry.object) == ("outbox.resend", f"outbox:{event_id}")
        assert entry.details == {"subject": f"customer:{link_id}"}
        with pytest.raises(NotFound):
            outbox.resend(session, uuid.uuid4())


def test_a_broker_that_is_away_loses_nothing(
    erp: Runtime, relay: Relay, broker: MoodyBroker, bus_database: str
) -> None:
    _say(erp, "a")
    broker.away = True
    with pytest.raises(BusUnavailable):
        relay.step()
    relay.recover()
    _say(erp, "b")
    assert _pending(erp) == ["a", "b"]
    broker.away = False
    _drain(relay)
    assert [key for key, _ in published(bus_database, TOPIC)] == ["a", "b"]
    assert [fact.attempts for fact in facts(erp.database)] == [0, 0]


def test_what_waits_is_listed_oldest_first_without_its_data(
    erp: Runtime, relay: Relay, broker: MoodyBroker
) -> None:
    broker.refuses = {"bad"}
    _say(erp, "bad", "good", "bad")
    _drain(relay)
    with erp.database.session() as session:
        waiting = outbox.unpublished(session)
        parked = outbox.unpublished(session, parked=True)
    assert [fact["partition_key"] for fact in waiting] == ["bad", "bad"]
    assert [fact["last_error"] for fact in parked] == ["too large"]
    assert not {"payload", "headers"} & waiting[0].keys()


def test_a_chain_shows_what_the_service_said_in_it(erp: Runtime) -> None:
    _say(erp, "other")
    with erp.unit_of_work() as uow:
        link = Links(uow.session).add(Link.to("1"))
        link.move("2")
    with erp.database.session() as session:
        said: list[dict[str, Any]] = outbox.chain_of_facts(session, link.root_correlation_id)
    assert [(fact["subject"], fact["aggregate_version"]) for fact in said] == [
        (str(link.id), 1),
        (str(link.id), 2),
    ]
