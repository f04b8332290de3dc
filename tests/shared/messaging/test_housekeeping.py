"""What is past its time goes, what may still be needed stays; and the numbers tell how things are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from shared.kernel.clock import FixedClock
from shared.messaging import housekeeping
from shared.messaging.housekeeping import Housekeeper, purge
from shared.observability.metrics import metrics_page
from shared.service import Runtime, Service
from tests.shared.ledger import Link, Links, service
from tests.shared.messaging.arrivals import Temper, arrive, inbox, linked, step


def _age(database: Database, table: str, column: str, days: float) -> None:
    with database.session() as session, session.begin():
        session.execute(
            text(f"UPDATE {table} SET {column} = clock_timestamp() - CAST(:age AS interval)"),
            {"age": timedelta(days=days)},
        )


def _count(database: Database, table: str) -> int:
    with database.session() as session:
        counted: int = session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        return counted


def _say(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        Links(uow.session).add(Link.to("1"))


@pytest.mark.parametrize(("days", "kept"), [(13.9, 1), (14.1, 0)])
def test_published_facts_are_kept_for_two_weeks(erp: Runtime, days: float, kept: int) -> None:
    _say(erp)
    _age(erp.database, "outbox", "published_at", days)
    _age(erp.database, "outbox", "occurred_at", days)
    assert purge(erp.database, "outbox") == 1 - kept
    assert _count(erp.database, "outbox") == kept


def test_a_fact_that_was_not_published_is_never_deleted(erp: Runtime) -> None:
    _say(erp)
    _age(erp.database, "outbox", "occurred_at", 1_000)
    assert purge(erp.database, "outbox") == 0


@pytest.mark.parametrize(("days", "kept"), [(89.9, 1), (90.1, 0)])
def test_the_inbox_remembers_longer_than_the_broker(erp: Runtime, days: float, kept: int) -> None:
    arrive(erp, [linked("a")])
    step(erp)
    _age(erp.database, "inbox", "received_at", days)
    purge(erp.database, "inbox")
    assert len(inbox(erp.database)) == kept


def test_what_waits_or_is_dead_stays_in_the_inbox(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    temper = Temper(clock)
    temper.refuses, temper.breaks_at = {"bad"}, {"late"}
    erp = start_service(service("erp", temper.handler))
    arrive(erp, [linked("a", number="bad"), linked("b", number="late"), linked("c", value=b"\xff")])
    step(erp)
    _age(erp.database, "inbox", "received_at", 1_000)
    assert purge(erp.database, "inbox") == 0


def test_a_large_backlog_goes_in_parts(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "PURGE_BATCH", 2)
    arrive(erp, [linked(f"k{number}") for number in range(5)])
    step(erp)
    _age(erp.database, "inbox", "received_at", 91)
    assert purge(erp.database, "inbox") == 2
    Housekeeper(erp.database, "crm.erp").step()
    assert inbox(erp.database) == []


_INSERTS: dict[str, Any] = {
    "idempotency_keys": "INSERT INTO idempotency_keys (client, key, fingerprint, effects, created_at)"
    " VALUES ('c', 'k', '', '[]', clock_timestamp() - interval '25 hours')",
    "timers": "INSERT INTO timers (id, owner_type, owner_id, kind, due_at, payload, correlation_id, state)"
    " VALUES (gen_random_uuid(), 'a', gen_random_uuid(), 'k', clock_timestamp() - interval '91 days', '{}',"
    " gen_random_uuid(), 'fired')",
    "revoked_sessions": "INSERT INTO revoked_sessions (session_id, subject_id, expires_at)"
    " VALUES (gen_random_uuid(), gen_random_uuid(), clock_timestamp() - interval '61 minutes')",
    "outside_commands": "INSERT INTO outside_commands (id, kind, key, payload, correlation_id, actor_id, state,"
    " created_at, done_at) VALUES (gen_random_uuid(), 'k', 'k', '{}', gen_random_uuid(), 'a', 'done',"
    " clock_timestamp(), clock_timestamp() - interval '91 days')",
}


@pytest.mark.parametrize("table", _INSERTS)
def test_finished_timers_commands_keys_and_sessions_go_in_time(erp: Runtime, table: str) -> None:
    with erp.database.session() as session, session.begin():
        session.execute(text(_INSERTS[table]))
    assert purge(erp.database, table) == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("idempotency_keys", "created_at = clock_timestamp() - interval '23 hours'"),
        ("revoked_sessions", "expires_at = clock_timestamp() - interval '59 minutes'"),
        ("timers", "state = 'pending'"),
        ("outside_commands", "state = 'failed'"),
        ("outside_commands", "state = 'in_doubt'"),
    ],
)
def test_what_is_not_finished_stays(erp: Runtime, table: str, change: str) -> None:
    with erp.database.session() as session, session.begin():
        session.execute(text(_INSERTS[table]))
        session.execute(text(f"UPDATE {table} SET {change}"))
    assert purge(erp.database, table) == 0


def _gauge(name: str, labels: str = "") -> float:
    (line,) = [each for each in metrics_page().decode().splitlines() if each.startswith(f"{name}{labels} ")]
    return float(line.rsplit(" ", 1)[1])


def _of_inbox(name: str) -> float:
    return _gauge(f"crm_inbox_{name}", '{consumer="crm.erp"}')


def test_the_numbers_of_outbox_and_inbox_are_measured(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    temper = Temper(clock)
    temper.refuses = {"bad"}
    erp = start_service(service("erp", temper.handler))
    with erp.unit_of_work() as uow:
        for number in ("1", "2"):
            Links(uow.session).add(Link.to(number))
    arrive(erp, [linked("a", 1, "bad"), linked("a", 2), linked("a", 3), linked("b", value=b"\xff")])
    step(erp)
    _age(erp.database, "inbox", "received_at", 1 / 24)
    Housekeeper(erp.database, "crm.erp").step()
    assert _gauge("crm_outbox_pending") == 4
    assert _of_inbox("ready") == 2
    assert _of_inbox("dead") == 2
    assert _of_inbox("blocked_keys") == 1
    assert 3_600 <= _of_inbox("oldest_age_seconds") < 3_700
