"""Many orders, an ERP that fails in every way it can, and two processes that are killed: an order is one document.

`python -m tests.faults.connector` does the same with 1,000 orders and an ERP that is away for a minute.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.erp.wiring import SERVICE
from shared.db.engine import libpq_url
from shared.testing.services import RunningService
from tests.erp.conftest import Connector
from tests.faults.connector.handover import (
    FULL,
    SMALL,
    Plan,
    bus_process,
    end_leases,
    publish,
    settle,
    wait_for_facts,
)

SEED = int(os.environ.get("CONNECTOR_SEED", "20260302"))
SIZE = FULL if os.environ.get("CONNECTOR_SIZE") == "full" else SMALL


@pytest.fixture
def watched(running_service: Callable[..., RunningService]) -> Connector:
    """The web side of the connector, by the real clock."""
    return Connector(running_service(SERVICE), clock=None)  # type: ignore[arg-type]


def test_an_erp_that_fails_in_every_way_gets_one_document_of_each_order(
    watched: Connector, bus_database: str, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    plan = Plan.drawn(dice, SIZE)
    for order, (action, more) in zip(plan.orders, plan.actions, strict=True):
        watched.script(action, {"field": "reference", "value": order["order_id"]}, **more)
    expected = sum(map(len, plan.expected.values()))
    erp_url, bus_url = libpq_url(watched.service.runtime.settings.database_url), libpq_url(bus_database)
    begun = time.monotonic()

    with (
        bus_process(erp_url, bus_url, tmp_path / "one.log") as kill_one,
        bus_process(erp_url, bus_url, tmp_path / "two.log") as kill_two,
    ):
        publish(bus_url, plan.orders)
        for number in range(1, SIZE.kills + 1):
            wait_for_facts(erp_url, expected * number // (SIZE.kills + 3), SIZE)
            (kill_one if number % 2 else kill_two)()
            end_leases(erp_url)
            if number == 1:
                watched.script("down", **SIZE.outage)
        settle(erp_url, expected, SIZE)

    print(f"\nseed {SEED}, {SIZE.orders} orders, {time.monotonic() - begun:.0f} s: {_calls(erp_url)}")
    facts = _told(watched)
    wrong = {o: (facts.get(o), want) for o, want in plan.expected.items() if facts.get(o) != want}
    assert wrong == {}, f"seed {SEED}"
    documents = _pages(watched, "/v1/demo-erp/documents")
    assert Counter(d["reference"] for d in documents) == dict.fromkeys(plan.expected, 1)
    assert _reconcile(_pages(watched, "/v1/links"), documents) == []
    assert _unused_scripts(erp_url) == 0


def _calls(url: str) -> dict[str, int]:
    """How the ERP answered, by step and class of answer."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT step || ' ' || coalesce(answer, 'never answered'), count(*) FROM exchanges GROUP BY 1 ORDER BY 1"
        )
        return dict(rows.fetchall())


def _unused_scripts(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM demo_scripts WHERE remaining > 0").fetchone()
    return row[0] if row else -1


def _pages(erp: Connector, path: str) -> list[dict[str, Any]]:
    page = erp.get(path, limit=200)
    items: list[dict[str, Any]] = page["items"]
    while page["next"]:
        page = erp.get(path, limit=200, cursor=page["next"])
        items += page["items"]
    return items


def _told(erp: Connector) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {}
    for fact in erp.service.facts():
        if ".order." in fact.type:
            facts[fact.subject] = (*facts.get(fact.subject, ()), fact.type.split(".")[3])
    return facts


def _reconcile(links: list[dict[str, Any]], documents: list[dict[str, Any]]) -> list[Any]:
    """What the two sides say differently: state, document and amounts of every order that either knows."""
    ours = {link["id"]: _ours(link) for link in links}
    theirs = {document["reference"]: _theirs(document) for document in documents}
    orders = sorted(ours.keys() | theirs.keys())
    return [(o, ours.get(o), theirs.get(o)) for o in orders if ours.get(o) != theirs.get(o)]


def _ours(link: dict[str, Any]) -> tuple[Any, ...]:
    state = {"accepted": "confirmed", "rejected": "cancelled"}.get(link["state"], link["state"])
    totals = (link[name]["amount"] for name in ("gross_total", "invoiced_total", "paid_total"))
    return (state, link["erp_id"], *map(Decimal, totals))


def _theirs(document: dict[str, Any]) -> tuple[Any, ...]:
    moved = (sum(Decimal(part["amount"]) for part in document[name]) for name in ("invoices", "payments"))
    return (document["state"], str(document["id"]), Decimal(document["gross"]), *moved)
