"""Many orders on their way through two real bus processes of the connector, which are killed, to an ERP that fails."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.problems import free_port
from shared.contracts.catalog import Catalog
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from tests.erp.conftest import START, SUBMITTED, an_order, order_line

__all__ = [
    "FULL",
    "SMALL",
    "Plan",
    "Size",
    "bus_process",
    "end_leases",
    "publish",
    "settle",
    "wait_for_facts",
]

SETTLE_SECONDS = 4.0
_FAST = {
    "CRM_ERP_SETTLE_SECONDS": str(SETTLE_SECONDS),
    "CRM_ERP_REQUEST_SECONDS": "0.4",
    "CRM_ERP_RETRY_SECONDS": "0.1",
    "CRM_ERP_POLL_SECONDS": "0.2",
    "CRM_ERP_DEMO_STEP_SECONDS": "0.05",
}
_DELIVERED = ("received", "accepted", "shipped", "invoiced", "paid")
_ENDS = {
    "partial": ("received", "partially_accepted", *("shipped", "invoiced", "paid") * 2),
    "reject": ("received", "rejected"),
}
ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("accept", {}),
    ("partial", {"parameters": {"backordered": "2", "rejected": "1"}}),
    ("reject", {}),
    ("slow", {"parameters": {"seconds": "0.7"}}),
    ("slow", {"parameters": {"seconds": "0.7"}, "on": "confirm"}),
    ("slow", {"parameters": {"seconds": "30"}}),  # longer than the ERP itself works on a request
    ("error_before", {}),
    ("error_before", {"on": "confirm"}),
    ("error_after_commit", {}),
    ("error_after_commit", {"on": "confirm"}),
    ("answer_twice", {}),
    ("out_of_order", {}),
    ("down", {"parameters": {"seconds": "0.3"}}),
]
"""Every way in which the demo ERP can fail, one an order in turn."""


@dataclass(frozen=True)
class Size:
    """`kills`: how often one of the two processes is. After the first of them the ERP is away for `outage_seconds`,
    `outages` times in a row."""

    orders: int
    kills: int
    outages: int
    outage_seconds: int
    patience_seconds: float

    @property
    def outage(self) -> dict[str, Any]:
        """The script that takes the ERP away."""
        return {"times": self.outages, "parameters": {"seconds": str(self.outage_seconds)}}


SMALL = Size(orders=100, kills=2, outages=1, outage_seconds=1, patience_seconds=65.0)
FULL = Size(orders=1_000, kills=8, outages=2, outage_seconds=30, patience_seconds=150.0)


@dataclass(frozen=True)
class Plan:
    """The orders of a run and what happens to each: the same for the same seed."""

    orders: list[dict[str, Any]]
    actions: list[tuple[str, dict[str, Any]]]

    @classmethod
    def drawn(cls, dice: random.Random, size: Size) -> Plan:
        """Orders of random quantities and amounts; every action as often as any other."""
        orders = [
            an_order(order_line("RC-500", str(dice.randint(4, 40)), f"{dice.randint(1, 10**7) / 100:.2f}"))
            for _ in range(size.orders)
        ]
        actions = [ACTIONS[number % len(ACTIONS)] for number in range(size.orders)]
        dice.shuffle(actions)
        return cls(orders, actions)

    @property
    def expected(self) -> dict[str, tuple[str, ...]]:
        """By order, the facts that must be told, in their order."""
        return {
            order["order_id"]: _ENDS.get(action, _DELIVERED)
            for order, (action, _) in zip(self.orders, self.actions, strict=True)
        }


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
        **_FAST,
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
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def publish(bus_url: str, orders: list[dict[str, Any]]) -> None:
    """Let sales submit `orders`."""
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


def end_leases(url: str) -> None:
    """As if a minute had passed: whatever is at work may be taken over, that of the living too."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE outside_commands SET lease_until = now() WHERE state = 'running'")


def facts_told(url: str) -> int:
    """How many facts about orders the connector has told."""
    return _number(url, "SELECT count(*) FROM outbox WHERE topic = 'crm.erp.order'")


def wait_for_facts(url: str, number: int, size: Size) -> None:
    """Wait until so many facts are told, or none has come for longer than any pause may last."""
    _wait_while_facts_come(url, size, lambda told: told >= number)


def settle(url: str, expected: int, size: Size) -> None:
    """Wait until all facts are told and nothing is left to do, or none has come for longer than any pause may
    last."""
    _wait_while_facts_come(url, size, lambda told: told >= expected and _number(url, _LEFT_TO_DO) == 0)


def _wait_while_facts_come(url: str, size: Size, reached: Callable[[int], bool]) -> None:
    known, moved_at = -1, time.monotonic()
    while time.monotonic() - moved_at < size.patience_seconds:
        now = facts_told(url)
        if reached(now):
            return
        if now > known:
            known, moved_at = now, time.monotonic()
        time.sleep(0.1)


_LEFT_TO_DO = """
SELECT (SELECT count(*) FROM outside_commands WHERE state IN ('queued', 'running', 'in_doubt'))
     + (SELECT count(*) FROM demo_documents WHERE next_at IS NOT NULL)
     + (SELECT count(*) FROM demo_changes
        WHERE seq > (SELECT coalesce(max(cursor)::bigint, 0) FROM feeds WHERE entity = 'orders'))
"""


def _number(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
