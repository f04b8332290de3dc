"""The whole suite on the embedded bus: the demo, processes killed at random, bad events, things that are away."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.local import demo_proof as proof
from deploy.local.demo_flow import (
    Cast,
    accept_lead,
    accept_offer,
    ask_for_demonstration,
    find_order,
    known_deal,
    sell,
    send_offer,
)
from deploy.local.suite import LocalSuite
from deploy.postgres.databases import BUS, database_name
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from tests.flows.acts import assert_as_promised, assert_paid_once, chapter_of, run_demo, wait_for_end

SEED = int(os.environ.get("CRM_TEST_SEED", "20"))
SERVICES = ("sales", "marketing", "support", "fieldservice", "analytics", "erp")
VICTIMS = tuple((service, role) for service in SERVICES for role in ("web", "bus"))
ORDERS = "crm.sales.order"
HEARERS = ("support", "fieldservice", "erp")


@pytest.fixture(scope="module")
def suite(make_suite: Callable[..., LocalSuite]) -> LocalSuite:
    made = make_suite()
    made.start()
    return made


@pytest.fixture
def cast(suite: LocalSuite) -> Cast:
    return Cast(suite)


@contextmanager
def struck_at_random(suite: LocalSuite, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Kill every process once, in an order and at moments that the seed decides; when the block ends, all
    have been killed. The list tells who was, and when."""
    chance = random.Random(seed)
    struck: list[tuple[str, str]] = []

    def strike() -> None:
        for service, role in chance.sample(VICTIMS, len(VICTIMS)):
            time.sleep(chance.uniform(0.1, 1.2))
            suite.kill(service, role)
            struck.append((service, role))

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield struck
    finally:
        thread.join()


@contextmanager
def bus_database_closed(suite: LocalSuite) -> Iterator[None]:
    """Nobody reaches the broker's database, while every service's own is there."""
    with psycopg.connect(suite.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {BUS} ALLOW_CONNECTIONS false")
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (BUS,))
            yield
        finally:
            admin.execute(f"ALTER DATABASE {BUS} ALLOW_CONNECTIONS true")


def test_the_demo_shows_what_it_promises_again_and_again(suite: LocalSuite, tmp_path: Path) -> None:
    first, second = (run_demo(suite, tmp_path / f"{number}.json") for number in (1, 2))
    assert_as_promised(second, suite)
    assert first["duplicates"] == 0
    assert first["correlation_id"] != second["correlation_id"]
    assert first["order"]["erp_number"] != second["order"]["erp_number"]
    page = httpx.get(suite.url("web"), timeout=10).text
    assert second["order"]["erp_number"] in page
    assert "All 14 processes are ready" in page


def test_processes_killed_at_random_change_no_result(suite: LocalSuite, cast: Cast, tmp_path: Path) -> None:
    before = {victim: suite.process(*victim).restarts for victim in VICTIMS}
    refused_customer = "Kettenbruch GmbH"
    cast.admin.post(
        "erp",
        "/v1/demo-erp/scripts",
        {"when": {"field": "customer", "value": refused_customer}, "action": "reject", "times": 1},
    )
    flows = []
    with struck_at_random(suite, SEED) as struck:
        for customer in ("", "Amboss AG", refused_customer, "Blitz AG", "Donau AG"):
            chapter = chapter_of(suite, tmp_path)
            if customer:
                deal = known_deal(cast, chapter, customer, f"A deal in seed {SEED}")
            else:
                deal = accept_lead(cast, chapter, ask_for_demonstration(cast, chapter))
            sell(cast, chapter, deal)
            flows.append((customer, chapter, deal))
    assert sorted(struck) == sorted(VICTIMS)
    for customer, chapter, deal in flows:
        if customer != refused_customer:
            assert_paid_once(cast, chapter, deal)
            continue
        wait_for_end(cast, chapter, deal, "", "cancelled")
        assert proof.count(cast.admin, deal) == proof.REFUSED
        assert proof.state_of(cast.admin, "fieldservice", "/v1/work-orders", deal) == "cancelled"
        document = cast.admin.get("erp", "/v1/demo-erp/documents", reference=deal.order_id)["items"][0]
        assert (document["shipments"], document["invoices"], document["payments"]) == ([], [], [])
    lead_chain = flows[0][1].chain
    assert lead_chain is not None
    kinds = [fact.type for fact in lead_chain.facts()]
    for once in (
        "marketing.lead.qualified",
        "sales.lead.accepted",
        "marketing.lead.converted",
        "sales.order.submitted",
    ):
        assert kinds.count(f"crm.{once}.v1") == 1, (SEED, struck)
    after = {victim: suite.process(*victim).restarts for victim in VICTIMS}
    assert all(after[victim] > before[victim] for victim in VICTIMS)


def test_what_is_no_event_is_kept_and_everything_else_flows(
    suite: LocalSuite, cast: Cast, tmp_path: Path
) -> None:
    chapter = chapter_of(suite, tmp_path)
    deal = known_deal(cast, chapter, "Sturm AG", "A deal among rubbish")
    sell(cast, chapter, deal)
    correlation_id, mark = new_id(), uuid.uuid4().hex
    headers = to_headers(
        event_id=new_id(),
        source="/crm/sales",
        event_type="crm.sales.order.teleported.v1",
        subject=deal.order_id,
        time=datetime.now(UTC),
        dataschema="unknown",
        key=deal.order_id,
        version=99,
        correlation_id=correlation_id,
        causation_id=None,
        actor_id="user:nobody",
        data_class="internal",
        traceparent=None,
    )
    rubbish = OutgoingRecord(ORDERS, deal.order_id, {"mark": mark}, b"\x00\xff no event")
    unknown = OutgoingRecord(ORDERS, deal.order_id, headers, b'{"where": "elsewhere"}')
    publisher = PostgresBus(suite.bus_database_url("sales")).publisher()
    assert publisher.publish([rubbish, unknown]) == [None, None]
    publisher.close()
    # Both came under the order's own key, and do not hold it up.
    assert_paid_once(cast, chapter, deal)
    for service in HEARERS:
        letters = cast.admin.get(service, "/v1/bus/dead-letters")["items"]
        undecodable = [letter for letter in letters if letter["source"] == "undecodable"]
        assert [letter["state"] for letter in undecodable] == ["dead"]
        path = f"/v1/bus/dead-letters/undecodable/{undecodable[0]['event_id']}"
        kept = cast.admin.get(service, path)
        assert kept["headers"]["mark"] == mark
        assert kept["payload"] == "\x00\\xff no event"
        heard = cast.admin.get(service, "/v1/bus/facts", correlation_id=str(correlation_id))["received"]
        assert [fact["state"] for fact in heard] == ["skipped"]
    archived = list(cast.admin.items("analytics", "/v1/archive/events", state="undecodable"))
    assert [row["raw"] for row in archived] == ["\x00\\xff no event"]
    stored = list(cast.admin.items("analytics", "/v1/archive/events", correlation_id=str(correlation_id)))
    assert [row["type"] for row in stored] == ["crm.sales.order.teleported.v1"]


CANARY = "Melusinde"
CANARY_PHONE = "494219871234"
PLUMBING = {"outbox", "idempotency_keys", "log"}
"""Where facts that were sent and answers that were given wait, and go by themselves after 14 days and 24 hours."""


def sightings(suite: LocalSuite) -> set[str]:
    """The tables of all databases, such as `sales.contacts`, that hold the canary, as text or in bytes."""
    marks = [CANARY.lower(), CANARY_PHONE]
    marks += [word.encode().hex() for word in (CANARY, *marks)]
    found = set()
    for database in (*map(database_name, suite.services), BUS):
        with psycopg.connect(suite.postgres.url(database)) as connection:
            tables = connection.execute(
                "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND n.nspname = 'public'"
            ).fetchall()
            for (table,) in tables:
                query = f"SELECT 1 FROM {table} AS t WHERE lower(t::text) LIKE ANY(%s) LIMIT 1"
                if connection.execute(query, ([f"%{mark}%" for mark in marks],)).fetchone():
                    found.add(f"{database.removeprefix('crm_')}.{table}")
    return found


def test_an_erased_person_is_found_nowhere_but_in_what_goes_by_itself(
    suite: LocalSuite, cast: Cast, tmp_path: Path
) -> None:
    chapter, admin = chapter_of(suite, tmp_path), cast.admin
    person = {
        "given_name": CANARY,
        "family_name": "Muster",
        "email": f"{CANARY.lower()}@muster-werke.example",
        "phone": f"+{CANARY_PHONE}",
        "title": "Head of production",
        "company": "Muster Werke",
        "country": "DE",
        "employee_count": "180",
        "product_group": "Arms",
        "message": f"Ring {CANARY} at home",
    }
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"}
    door = f"/public/v1/forms/{cast.form_id}"
    lead_id = admin.open_door("marketing", "POST", door, person, **browser)["lead_id"]
    lead = chapter.until(
        "The lead in sales",
        lambda: next(admin.items("sales", "/v1/leads", ids=lead_id), None),
        lambda found: found is not None,
    )
    assert lead is not None
    early = {"type": "call", "subject": f"{CANARY} asks", "regarding": [{"type": "lead", "id": lead_id}]}
    admin.post("sales", "/v1/activities/log", early)
    choice = {name: {"create": {}} for name in ("account", "contact")}
    offered = admin.read("sales", f"/v1/leads/{lead['id']}")
    accepted = admin.change(
        "sales", offered, "accept", **choice, opportunity=None, confirm_not_duplicate=True
    )
    regarding = [{"type": "contact", "id": accepted["contact_id"]}]
    call = {"type": "call", "subject": f"Call with {CANARY}", "regarding": regarding}
    admin.post("sales", "/v1/activities/log", call)
    trouble = {"subject": f"{CANARY} waits", "description": "At home", "contact_id": accepted["contact_id"]}
    admin.post("support", "/v1/cases", trouble)
    kept = {
        *("sales.contacts", "sales.leads", "sales.activities", "support.cases"),
        *("marketing.leads", "marketing.submissions"),
    }
    chapter.until(
        "The person everywhere",
        lambda: sightings(suite),
        lambda seen: kept <= seen and any(place.startswith("analytics.archive") for place in seen),
    )
    chapter.until(
        "The conversion in marketing",
        lambda: admin.get("marketing", f"/v1/leads/{lead['id']}")["state"],
        lambda state: state == "converted",
    )
    admin.change("sales", admin.read("sales", f"/v1/contacts/{accepted['contact_id']}"), "erase")
    chapter.until(
        "What is left of the person",
        lambda: {place for place in sightings(suite) if place.partition(".")[2] not in PLUMBING},
        lambda left: left == set(),
    )
    events = list(admin.items("analytics", "/v1/archive/events", aggregate_id=accepted["contact_id"]))
    assert [event["type"].split(".")[3] for event in events] == ["created", "erased"]
    assert (events[0]["data"]["given_name"], events[0]["erased_at"] is not None) == (None, True)


def test_while_the_database_is_away_writes_are_refused_and_afterwards_all_drains(
    suite: LocalSuite, cast: Cast, tmp_path: Path
) -> None:
    chapter = chapter_of(suite, tmp_path)
    deal = known_deal(cast, chapter, "Flaute AG", "A deal in an outage")
    sell(cast, chapter, deal)
    headers = {"Authorization": f"Bearer {suite.token()}"}
    body = {"name": "Never made", "close_date": "2030-01-31"}
    with suite.held_down("postgres"):
        for _ in range(3):
            refused = httpx.post(
                f"{suite.url('sales')}/v1/opportunities", json=body, headers=headers, timeout=30
            )
            assert refused.status_code == 503, refused.text
            assert int(refused.headers["Retry-After"]) >= 1
            time.sleep(0.5)
    suite.wait_ready()
    assert_paid_once(cast, chapter, deal)
    made = [row["name"] for row in cast.admin.items("sales", "/v1/opportunities")]
    assert "Never made" not in made


def test_while_the_broker_is_away_writes_go_on_and_afterwards_all_drains(
    suite: LocalSuite, cast: Cast, tmp_path: Path
) -> None:
    chapter = chapter_of(suite, tmp_path)
    deal = known_deal(cast, chapter, "Nebel AG", "A deal in silence")
    link = send_offer(cast, chapter, deal)
    with bus_database_closed(suite):
        accept_offer(cast, chapter, deal, link)
        find_order(cast, chapter, deal)
        time.sleep(3.0)
        assert chapter.chain is not None
        assert proof.count(cast.admin, deal) == {**dict.fromkeys(proof.PAID, 0), "orders": 1}
        assert all(suite.is_ready(name, "bus") for name in SERVICES)
        waiting = cast.admin.get("sales", "/v1/bus/outbox")["items"]
        assert "crm.sales.order.submitted.v1" in [fact["event_type"] for fact in waiting]
    assert_paid_once(cast, chapter, deal)
