"""Two real bus processes, killed again and again, and an ERP that misbehaves at random: an order is one document."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.local.problems import free_port
from services.erp.wiring import SERVICE
from shared.contracts.catalog import Catalog
from shared.db.engine import libpq_url
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from shared.testing.services import RunningService
from tests.erp.conftest import START, SUBMITTED, Connector, an_order, order_line

SEED = 20260302
ORDERS = 200
KILLS = 2
PATIENCE_SECONDS = 65.0
FAST = {
    "CRM_ERP_SETTLE_SECONDS": "1.2",
    "CRM_ERP_REQUEST_SECONDS": "0.4",
    "CRM_ERP_RETRY_SECONDS": "0.1",
    "CRM_ERP_POLL_SECONDS": "0.2",
    "CRM_ERP_DEMO_STEP_SECONDS": "0.05",
}
DELIVERED = ["received", "accepted", "shipped", "invoiced", "paid"]
ENDS = {
    "partial": ["received", "partially_accepted", *["shipped", "invoiced", "paid"] * 2],
    "reject": ["received", "rejected"],
}
ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("accept", {}),
    ("partial", {"parameters": {"backordered": "2", "rejected": "1"}}),
    ("reject", {}),
    ("slow", {"parameters": {"seconds": "0.7"}}),
    ("error_before", {}),
    ("error_before", {"on": "confirm"}),
    ("error_after_commit", {}),
    ("error_after_commit", {"on": "confirm"}),
    ("answer_twice", {}),
    ("out_of_order", {}),
    ("down", {"parameters": {"seconds": "0.3"}}),
]


@contextmanager
def bus_process(erp_url: str, bus_url: str, log: Path) -> Iterator[Callable[[], None]]:
    """A bus process of the connector; the callable kills it for good, and its successor starts at once."""
    environment = {
        "PATH": os.environ["PATH"],
        "CRM_DATABASE_URL": erp_url,
        "CRM_BUS": "postgres",
        "CRM_BUS_DATABASE_URL": bus_url,
        "CRM_SECRET": "a secret for tests only",
        "CRM_LOG_LEVEL": "error",
        **FAST,
    }

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "services.erp", "bus"],
                env=environment | {"CRM_HEALTH_PORT": str(free_port())},
                stdout=output,
                stderr=output,
            )

    process = start()

    def kill() -> None:
        nonlocal process
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()

    try:
        yield kill
    finally:
        process.terminate()
        process.wait(15)


def publish(bus_url: str, orders: list[dict[str, Any]]) -> None:
    publisher = PostgresBus(bus_url).publisher()
    records = [
        OutgoingRecord(
            "crm.sales.order",
            order["order_id"],
            to_headers(
                event_id=new_id(),
                source="/crm/sales",
                event_type=SUBMITTED,
                subject=order["order_id"],
                time=START,
                dataschema=Catalog.load().dataschema(SUBMITTED),
                key=order["order_id"],
                version=1,
                correlation_id=new_id(),
                causation_id=None,
                actor_id="user:tests",
                data_class="none",
                traceparent=None,
            ),
            json.dumps(order).encode(),
        )
        for order in orders
    ]
    assert publisher.publish(records) == [None] * len(records)
    publisher.close()


def pages(erp: Connector, path: str) -> list[dict[str, Any]]:
    page = erp.get(path, limit=200)
    items: list[dict[str, Any]] = page["items"]
    while page["next"]:
        page = erp.get(path, limit=200, cursor=page["next"])
        items += page["items"]
    return items


def end_leases(url: str) -> None:
    """As if a minute had passed: whatever is at work may be taken over, that of the living too."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE outside_commands SET lease_until = now() WHERE state = 'running'")


def count_facts(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM outbox WHERE topic = 'crm.erp.order'").fetchone()
    return row[0] if row else 0


def wait_for_facts(url: str, expected: int) -> None:
    """Wait until they are all there, or nothing has moved for longer than any pause may last."""
    known, moved_at = 0, time.monotonic()
    while known < expected and time.monotonic() - moved_at < PATIENCE_SECONDS:
        time.sleep(0.25)
        if (now := count_facts(url)) > known:
            known, moved_at = now, time.monotonic()


def told(erp: Connector) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    for fact in erp.service.facts():
        if ".order." in fact.type:
            facts.setdefault(fact.subject, []).append(fact.type.split(".")[3])
    return facts


@pytest.fixture
def watched(running_service: Callable[..., RunningService]) -> Connector:
    """The web side of the connector, by the real clock."""
    return Connector(running_service(SERVICE), clock=None)  # type: ignore[arg-type]


def test_two_processes_that_are_killed_make_one_document_of_each_order(
    watched: Connector, bus_database: str, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    orders = [
        an_order(order_line("RC-500", str(dice.randint(4, 40)), f"{dice.randint(1, 10**7) / 100:.2f}"))
        for _ in range(ORDERS)
    ]
    actions = [dice.choice(ACTIONS) for _ in orders]
    for order, (action, more) in zip(orders, actions, strict=True):
        watched.script(action, {"field": "reference", "value": order["order_id"]}, **more)
    expected = {
        o["order_id"]: ENDS.get(action, DELIVERED) for o, (action, _) in zip(orders, actions, strict=True)
    }
    erp_url, bus_url = libpq_url(watched.service.runtime.settings.database_url), libpq_url(bus_database)

    with (
        bus_process(erp_url, bus_url, tmp_path / "one.log") as kill_one,
        bus_process(erp_url, bus_url, tmp_path / "two.log") as kill_two,
    ):
        publish(bus_url, orders)
        for number in range(KILLS):
            time.sleep(dice.uniform(1.5, 2.5))
            (kill_one if number % 2 else kill_two)()
            end_leases(erp_url)
        wait_for_facts(erp_url, sum(map(len, expected.values())))
        time.sleep(0.5)  # nothing more may come

    facts = told(watched)
    wrong = {o: (facts.get(o), want) for o, want in expected.items() if facts.get(o) != want}
    assert wrong == {}, f"seed {SEED}: {wrong}"
    documents = pages(watched, "/v1/demo-erp/documents")
    assert Counter(d["reference"] for d in documents) == dict.fromkeys(expected, 1)
    assert differences(pages(watched, "/v1/links"), documents) == []


def differences(links: list[dict[str, Any]], documents: list[dict[str, Any]]) -> list[Any]:
    """What the two sides say differently about an order."""
    theirs = {d["reference"]: d for d in documents}
    return [(link, theirs[link["id"]]) for link in links if _ours(link) != _theirs(theirs[link["id"]])]


def _ours(link: dict[str, Any]) -> tuple[Any, ...]:
    state = {"accepted": "confirmed", "rejected": "cancelled"}[link["state"]]
    totals = (link[name]["amount"] for name in ("gross_total", "invoiced_total", "paid_total"))
    return (state, link["erp_id"], *map(float, totals))


def _theirs(document: dict[str, Any]) -> tuple[Any, ...]:
    moved = (sum(float(part["amount"]) for part in document[name]) for name in ("invoices", "payments"))
    return (
        document["state"],
        str(document["id"]),
        float(document["gross"]),
        *(round(total, 2) for total in moved),
    )
