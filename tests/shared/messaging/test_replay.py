"""Replays bring back what a consumer lost, and nothing that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from shared.db.plumbing import AUDIT_ENTRIES
from shared.kernel.clock import FixedClock
from shared.messaging.dead_letters import skip
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.replay import ReplayResult, note, replay
from shared.messaging.transport import OutgoingRecord
from shared.service import Runtime, Service
from shared.testing.postgres import PostgresForTests
from tests.shared import ledger
from tests.shared.ledger import TOPIC, noted
from tests.shared.messaging.arrivals import Temper, arrive, inbox, linked, step

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def bus(bus_database: str) -> PostgresBus:
    return PostgresBus(bus_database)


def _publish(bus: PostgresBus, *facts: tuple[str, int]) -> None:
    publisher = bus.publisher()
    received = [linked(key, version) for key, version in facts]
    publisher.publish([OutgoingRecord(TOPIC, each.key, each.headers, each.value) for each in received])
    publisher.close()


def _replay(runtime: Runtime, bus: PostgresBus, **options: Any) -> ReplayResult:
    return replay(
        bus,
        runtime.settings.database_url,
        runtime.service.arrivals(),
        runtime.clock,
        topic=TOPIC,
        **options,
    )


def _receive(runtime: Runtime, bus: PostgresBus) -> None:
    arrive(runtime, bus.read(TOPIC))
    step(runtime)


def test_a_consumer_that_has_everything_is_not_changed(erp: Runtime, bus: PostgresBus) -> None:
    _publish(bus, ("a", 1), ("b", 1), ("a", 2))
    _receive(erp, bus)
    before = noted(erp.database)
    for _ in range(3):
        assert _replay(erp, bus) == ReplayResult(read=3, missing=0, dry_run=False)
        step(erp)
    assert noted(erp.database) == before


def test_a_dry_run_counts_and_stores_nothing(erp: Runtime, bus: PostgresBus) -> None:
    _publish(bus, ("a", 1), ("b", 1))
    assert _replay(erp, bus, dry_run=True) == ReplayResult(read=2, missing=2, dry_run=True)
    assert inbox(erp.database) == []


def test_one_key_is_brought_back_alone(erp: Runtime, bus: PostgresBus) -> None:
    _publish(bus, ("a", 1), ("b", 1), ("a", 2))
    assert _replay(erp, bus, key="a") == ReplayResult(read=2, missing=2, dry_run=False)
    step(erp)
    assert noted(erp.database) == [("a", 1, "1"), ("a", 2, "1")]


def test_only_what_came_since_a_time_is_brought_back(
    erp: Runtime, bus: PostgresBus, bus_database: str
) -> None:
    _publish(bus, ("a", 1))
    with psycopg.connect(bus_database) as connection:
        connection.execute("UPDATE log SET appended_at = %s", (LONG_AGO,))
    _publish(bus, ("a", 2))
    assert _replay(erp, bus, since=LONG_AGO + timedelta(days=1)).read == 1
    step(erp)
    assert noted(erp.database) == [("a", 2, "1")]


def test_a_restored_database_gets_back_what_its_backup_lacks(
    erp: Runtime, bus: PostgresBus, bus_database: str, postgres: PostgresForTests
) -> None:
    _publish(bus, ("a", 1), ("b", 1))
    _receive(erp, bus)
    with erp.database.session() as session:
        backup = session.execute(text("SELECT * FROM effects")).all()
        backed_up_inbox = session.execute(text("SELECT event_id FROM inbox")).scalars().all()
    _publish(bus, ("a", 2), ("c", 1), ("a", 3))
    _receive(erp, bus)
    complete = noted(erp.database)
    with erp.database.session() as session, session.begin():
        session.execute(text("DELETE FROM effects WHERE ord > :last"), {"last": backup[-1].ord})
        session.execute(text("DELETE FROM inbox WHERE event_id <> ALL(:kept)"), {"kept": backed_up_inbox})

    assert _replay(erp, bus) == ReplayResult(read=5, missing=3, dry_run=False)
    step(erp)
    assert noted(erp.database) == complete


def test_many_records_are_brought_back_in_order(erp: Runtime, bus: PostgresBus) -> None:
    _publish(bus, *(("a", version) for version in range(1, 1_201)))
    assert _replay(erp, bus) == ReplayResult(read=1_200, missing=1_200, dry_run=False)
    assert [row.aggregate_version for row in inbox(erp.database)] == list(range(1, 1_201))


def test_a_new_handler_gets_what_was_skipped_without_it(erp: Runtime, bus: PostgresBus) -> None:
    _publish(bus, ("a", 1), ("b", 1), ("a", 2))
    before = replace(erp, service=ledger.service("erp"))
    _receive(before, bus)
    assert [row.state for row in inbox(erp.database)] == ["skipped"] * 3
    assert _replay(before, bus) == ReplayResult(read=3, missing=0, dry_run=False)

    assert _replay(erp, bus, dry_run=True) == ReplayResult(read=3, missing=3, dry_run=True)
    assert [row.state for row in inbox(erp.database)] == ["skipped"] * 3
    assert _replay(erp, bus, key="a") == ReplayResult(read=2, missing=2, dry_run=False)
    assert _replay(erp, bus) == ReplayResult(read=3, missing=1, dry_run=False)
    for _ in range(2):
        step(erp)
        assert noted(erp.database) == [("a", 1, "1"), ("b", 1, "1"), ("a", 2, "1")]
        assert _replay(erp, bus) == ReplayResult(read=3, missing=0, dry_run=False)


def test_what_a_person_skipped_is_not_brought_back(
    bus: PostgresBus, start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    temper = Temper(clock)
    temper.refuses = {"1"}
    erp = start_service(ledger.service("erp", temper.handler))
    _publish(bus, ("a", 1))
    _receive(erp, bus)
    (dead,) = inbox(erp.database)
    with erp.unit_of_work() as uow:
        skip(uow.session, clock, "crm.erp", dead.source, dead.event_id, "a test")
    temper.refuses = set()
    assert _replay(erp, bus) == ReplayResult(read=1, missing=0, dry_run=False)
    step(erp)
    assert [row.state for row in inbox(erp.database)] == ["skipped"]
    assert noted(erp.database) == []


def test_a_replay_touches_no_other_group(
    erp: Runtime, bus: PostgresBus, start_service: Callable[[Service], Runtime]
) -> None:
    sales = start_service(ledger.service("sales", ledger.note_link_when_customer_linked))
    _publish(bus, ("a", 1))
    _replay(erp, bus)
    assert inbox(sales.database) == []
    subscriber = bus.subscriber("crm.sales", [TOPIC])
    assert len(subscriber.poll(0.1)) == 1
    subscriber.close()


def test_a_replay_is_audited(erp: Runtime, bus: PostgresBus) -> None:
    with erp.unit_of_work() as uow:
        note(uow, TOPIC, ReplayResult(read=5, missing=3, dry_run=False))
    with erp.database.session() as session:
        entry = session.execute(select(AUDIT_ENTRIES)).one()
    assert (entry.action, entry.object) == ("bus.replay", f"topic:{TOPIC}")
    assert entry.details == {"read": 5, "missing": 3, "dry_run": False}
