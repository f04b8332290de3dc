"""Facts are applied once, those of a key in order, and a bad one holds up nobody but its own key."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import select, text

from shared.db.engine import libpq_url
from shared.kernel.clock import FixedClock
from shared.kernel.errors import NotFound, Permanent, Stale
from shared.messaging import worker as worker_module
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact
from shared.messaging.inbox import Inbox
from shared.messaging.transport import ReceivedRecord
from shared.service import Runtime, Service
from tests.shared.ledger import LINKED, Link, LinkData, Links, facts, note, noted, service
from tests.shared.messaging.arrivals import CHAIN, Temper, arrive, by_state, inbox, linked, step, worker


def _tempered(start_service: Callable[[Service], Runtime], clock: FixedClock) -> tuple[Runtime, Temper]:
    temper = Temper(clock)
    return start_service(service("erp", temper.handler)), temper


def test_an_applied_fact_is_done_with_its_effect(erp: Runtime) -> None:
    arrive(erp, [linked("k", 1, "10482")])
    step(erp)
    assert noted(erp.database) == [("k", 1, "10482")]
    (row,) = inbox(erp.database)
    assert (row.state, row.attempts, row.done_at, row.last_error) == ("done", 1, erp.clock.now(), None)


def test_a_worker_with_nothing_to_do_says_so(erp: Runtime) -> None:
    assert worker(erp).step() is False


def test_facts_of_a_key_are_applied_in_the_order_of_arrival(erp: Runtime) -> None:
    arrive(erp, [linked(key, version) for version in range(1, 60) for key in ("a", "b", "c")])
    step(erp)
    for key in ("a", "b", "c"):
        assert [version for at, version, _ in noted(erp.database) if at == key] == list(range(1, 60))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_workers_keep_the_order_of_each_key(erp: Runtime, seed: int) -> None:
    chance = random.Random(seed)
    records = [linked(f"k{chance.randrange(12)}", number) for number in range(400)]
    arrive(erp, records)
    workers = [worker(erp) for _ in range(3)]
    together = threading.Barrier(3)

    def work(at_work: Any) -> None:
        together.wait()
        idle = 0
        while idle < 3:
            idle = 0 if at_work.step() else idle + 1

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, workers))
    effects = noted(erp.database)
    assert len(effects) == 400
    for key in {record.key for record in records}:
        expected = [int(r.headers["ce_aggregateversion"]) for r in records if r.key == key]
        assert [version for at, version, _ in effects if at == key] == expected


def test_a_key_at_work_is_left_to_the_worker_that_has_it(erp: Runtime) -> None:
    arrive(erp, [linked("held", 1), linked("held", 2), linked("free", 1)])
    with erp.database.session() as other:
        other.execute(
            text("SELECT 1 FROM inbox WHERE partition_key = 'held' ORDER BY ord LIMIT 1 FOR UPDATE")
        )
        step(erp)
        assert noted(erp.database) == [("free", 1, "1")]
    step(erp)
    assert noted(erp.database) == [("free", 1, "1"), ("held", 1, "1"), ("held", 2, "1")]


def test_keys_of_different_topics_do_not_wait_for_each_other(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    erp, temper = _tempered(start_service, clock)
    temper.refuses = {"bad"}
    arrive(erp, [linked("k", 1, "bad"), linked("k", 1, "good", topic="crm.erp.order")])
    step(erp)
    assert noted(erp.database) == [("k", 1, "good")]


def test_poison_among_fifty_undoes_nothing_of_the_others(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    erp, temper = _tempered(start_service, clock)
    temper.refuses, temper.breaks_at = {"7", "30"}, {"21"}
    arrive(erp, [linked(f"k{number:02}", 1, str(number)) for number in range(50)])
    step(erp)
    assert by_state(erp.database) == {
        "done": [str(number) for number in range(50) if number not in (7, 21, 30)],
        "dead": ["7", "30"],
        "ready": ["21"],
    }
    assert {number for _, _, number in noted(erp.database)} == {
        str(number) for number in range(50) if number not in (7, 21, 30)
    }


def test_a_dead_fact_blocks_its_own_key_only(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    erp, temper = _tempered(start_service, clock)
    temper.refuses = {"bad"}
    arrive(
        erp, [linked("a", 1, "before"), linked("a", 2, "bad"), linked("a", 3, "after"), linked("b", 1, "b")]
    )
    step(erp)
    assert by_state(erp.database) == {"done": ["before", "b"], "dead": ["bad"], "ready": ["after"]}


def test_a_fact_that_waits_holds_its_followers(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    erp, temper = _tempered(start_service, clock)
    temper.breaks_at = {"bad"}
    arrive(erp, [linked("a", 1, "bad"), linked("a", 2, "after"), linked("b", 1, "b")])
    step(erp)
    arrive(erp, [linked("a", 3, "later")])
    step(erp)
    assert [number for _, _, number in noted(erp.database)] == ["b"]


def _retold(fact: Fact, uow: Any) -> None:
    """Links what the fact says and says so itself; refuses after all of that."""
    Links(uow.session).add(Link.to(fact.data["erp_customer_id"]))
    note(fact, uow)
    if fact.data["erp_customer_id"] == "bad":
        uow.flush()
        raise Permanent("after everything was written")


def test_effects_and_outgoing_facts_of_a_handler_are_one(
    start_service: Callable[[Service], Runtime],
) -> None:
    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(_retold)))
    arrive(erp, [linked("a", 1, "good"), linked("b", 1, "bad"), linked("c", 1, "good")])
    step(erp)
    assert [number for _, _, number in noted(erp.database)] == ["good", "good"]
    with erp.database.session() as session:
        assert [link.number for link in session.scalars(select(Link))] == ["good", "good"]
    said = [fact for fact in facts(erp.database) if fact.event_type == LINKED]
    assert [orjson.loads(fact.payload)["erp_customer_id"] for fact in said] == ["good", "good"]


def test_what_a_handler_says_continues_the_chain_of_its_fact(
    start_service: Callable[[Service], Runtime],
) -> None:
    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(_retold)))
    records = [linked("a", 1, "good"), linked("b", 1, "good")]
    arrive(erp, records)
    step(erp)
    said = facts(erp.database)
    assert [fact.headers["ce_causationid"] for fact in said] == [r.headers["ce_id"] for r in records]
    assert {fact.correlation_id for fact in said} == {CHAIN}
    assert {fact.headers["ce_actorid"] for fact in said} == {"user:ann"}


def test_a_handler_that_calls_a_use_case_shares_its_transaction(
    start_service: Callable[[Service], Runtime],
) -> None:
    def link(fact: Fact, uow: Any) -> None:
        with uow:
            Links(uow.session).add(Link.to(fact.data["erp_customer_id"]))
        if fact.data["erp_customer_id"] == "bad":
            raise NotFound("The use case is done, its transaction is not.")

    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(link)))
    arrive(erp, [linked("a", 1, "bad"), linked("b", 1, "good")])
    step(erp)
    with erp.database.session() as session:
        assert [link.number for link in session.scalars(select(Link))] == ["good"]


def test_a_lost_race_is_tried_again_and_not_given_up(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    def lose(fact: Fact, uow: Any) -> None:
        raise Stale("Somebody else was first.")

    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(lose)))
    arrive(erp, [linked("a")])
    step(erp)
    assert by_state(erp.database) == {"ready": ["1"]}


def test_a_stored_fact_whose_handler_is_gone_waits_for_one(erp: Runtime) -> None:
    arrive(erp, [linked("a")])
    with erp.database.session() as session, session.begin():
        session.execute(text("UPDATE inbox SET event_type = 'crm.erp.gone.v1'"))
        session.execute(
            text('UPDATE inbox SET headers = headers || \'{"ce_type": "crm.erp.gone.v1"}\'::jsonb')
        )
    step(erp)
    (row,) = inbox(erp.database)
    assert (row.state, row.attempts) == ("ready", 1)
    assert noted(erp.database) == []


def test_no_key_waits_for_ever_behind_busy_ones(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "KEYS", 2)
    monkeypatch.setattr(worker_module, "BATCH", 2)
    at_work = worker(erp)
    arrive(erp, [linked(key, version) for key in ("a", "b", "z") for version in range(1, 4)])
    at_work.step()
    at_work.step()
    assert ("z", 1, "1") in noted(erp.database)


def test_a_worker_comes_back_to_the_keys_it_began_with(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "KEYS", 2)
    at_work = worker(erp)
    arrive(erp, [linked("a", 1), linked("b", 1)])
    at_work.step()
    arrive(erp, [linked("a", 2)])
    while at_work.step():
        pass
    assert noted(erp.database)[-1] == ("a", 2, "1")


def test_a_transaction_begins_no_fact_after_its_time(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "BATCH_SECONDS", 0.0)
    arrive(erp, [linked("a", 1), linked("a", 2), linked("b", 1)])
    at_work = worker(erp)
    assert at_work.step() is True
    assert len(noted(erp.database)) == 1
    while at_work.step():
        pass
    assert len(noted(erp.database)) == 3


def test_large_facts_do_not_add_up_in_one_transaction(erp: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "BATCH_BYTES", 1)
    arrive(erp, [linked("a", 1), linked("a", 2), linked("b", 1)])
    at_work = worker(erp)
    assert at_work.step() is True
    assert len(noted(erp.database)) == 1
    while at_work.step():
        pass
    assert len(noted(erp.database)) == 3


def test_a_long_queue_behind_a_dead_fact_is_passed_by(
    start_service: Callable[[Service], Runtime], clock: FixedClock
) -> None:
    erp, temper = _tempered(start_service, clock)
    temper.refuses = {"bad"}
    arrive(erp, [linked("a", 1, "bad"), *(linked("a", version) for version in range(2, 3_000))])
    step(erp)
    arrive(erp, [linked("b", 1, "b")])
    step(erp)
    assert [number for _, _, number in noted(erp.database)] == ["b"]
    assert by_state(erp.database)["ready"] == ["1"] * 2_998


def _of_person(key: str, past: str, version: int, **headers: str) -> ReceivedRecord:
    told = {"ce_type": f"crm.sales.contact.{past}.v1", "ce_dataclass": "pii", **headers}
    return linked(key, version, "told", headers=told, topic="crm.sales.contact")


def test_an_erasure_takes_what_the_inbox_kept_of_the_person(
    start_service: Callable[[Service], Runtime],
) -> None:
    erased = "crm.sales.contact.erased.v1"
    refusing = True

    def hear(fact: Fact, uow: Any) -> None:
        if refusing:
            raise Stale("not yet")

    support = start_service(service("support", handles(erased, reads=LinkData)(hear)))
    arrive(
        support,
        [
            _of_person("gone", "created", 1),
            _of_person("gone", "changed", 2, ce_dataclass="none"),
            _of_person("stays", "created", 1),
            _of_person("gone", "erased", 3),
            _of_person("gone", "changed", 4),
        ],
    )

    def kept() -> list[tuple[str, str]]:
        return [(row.partition_key, bytes(row.payload).decode()) for row in inbox(support.database)]

    before = kept()
    step(support)
    assert kept() == before
    refusing = False
    support.clock.advance(timedelta(hours=1))
    step(support)
    after = kept()
    assert after[0] == ("gone", "{}")
    assert after[1:] == before[1:]


def test_a_forgotten_fact_that_comes_again_is_not_worked_on(
    start_service: Callable[[Service], Runtime],
) -> None:
    created, erased = (f"crm.sales.contact.{past}.v1" for past in ("created", "erased"))
    first = _of_person("gone", "created", 1)
    support = start_service(service("support", handles(erased, reads=LinkData)(note)))
    arrive(support, [first, _of_person("gone", "erased", 2)])
    step(support)
    wiser = Inbox(support.service.group, {created, erased})
    with psycopg.connect(libpq_url(support.settings.database_url)) as connection:
        assert wiser.store(connection, [first], support.clock.now()).new == 0
    assert [row.state for row in inbox(support.database)] == ["skipped", "done"]
