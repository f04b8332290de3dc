"""The consumer of the guide, by itself: killed again and again on a real broker, its sums come out right."""

from __future__ import annotations

import ast
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.kernel.ids import new_id
from shared.messaging.kafka import KafkaBus
from shared.messaging.topics import create_topics
from shared.messaging.transport import OutgoingRecord
from tests.erp.conftest import an_order, order_line

CONSUMER = Path(__file__).parents[2] / "docs" / "guides" / "erp_consumer.py"
SEED = 417
ORDERS = 300
KILLS = 5
CUSTOMERS = ("Acme Robotics GmbH", "Globex AG", "Initech Ltd")


class Topic:
    """A topic of a test's own."""

    partitions = {"development": 3, "production": 12}
    retention_days = 14

    def __init__(self, name: str) -> None:
        self.name = name


def test_it_stays_small_and_needs_nothing_of_ours() -> None:
    source = CONSUMER.read_text()
    assert len(source.splitlines()) <= 60
    imported = [
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert set(imported) - set(sys.stdlib_module_names) == {"kafka"}


def record(topic: str, order: dict[str, Any], kind: str, version: int, event_id: str) -> OutgoingRecord:
    headers = {
        "ce_id": event_id,
        "ce_source": "/crm/sales",
        "ce_type": f"crm.sales.order.{kind}.v1",
        "ce_subject": order["order_id"],
        "ce_aggregateversion": str(version),
    }
    return OutgoingRecord(topic, order["order_id"], headers, json.dumps(order).encode())


def history(topic: str, dice: random.Random) -> tuple[list[OutgoingRecord], Counter[str]]:
    """What sales published, with repeats, unknown types and poison in between; and what each customer owes."""
    records: list[OutgoingRecord] = []
    turnover: Counter[str] = Counter()
    for number in range(ORDERS):
        order = an_order(order_line("RC-500", "1", f"{dice.randint(1, 10**6) / 100:.2f}"))
        order["account"] = {**order["account"], "name": dice.choice(CUSTOMERS)}
        cents = round(float(order["gross_total"]["amount"]) * 100)
        first = record(topic, order, "submitted", 1, str(new_id()))
        records.append(first)
        match number % 10:
            case 1:  # told again by a relay that died
                records.append(first)
            case 2:  # a correction, and then the first request from a replay under an id of its own
                dearer = {**order, "gross_total": {"amount": "999.99", "currency": "EUR"}}
                records.append(record(topic, dearer, "submitted", 2, str(new_id())))
                records.append(record(topic, order, "submitted", 1, str(new_id())))
                cents = 99_999
            case 3:
                records.append(record(topic, order, "cancelled", 2, str(new_id())))
                cents = 0
            case 4:
                records.append(record(topic, order, "redesigned", 2, str(new_id())))
            case 5:
                records.append(OutgoingRecord(topic, order["order_id"], {}, b"\x00\xff no event"))
            case 6:
                broken = record(topic, {"order_id": order["order_id"]}, "submitted", 2, str(new_id()))
                records.append(broken)
        turnover[order["account"]["name"]] += cents
    return records, turnover


@pytest.fixture
def start(kafka_bootstrap: str, kafka_topic: str, tmp_path: Path) -> Callable[[], subprocess.Popen[bytes]]:
    create_topics(kafka_bootstrap, [Topic(kafka_topic)], "local")

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, CONSUMER, kafka_bootstrap, tmp_path / "erp.db", kafka_topic])

    return run


@pytest.mark.kafka
def test_it_may_be_killed_anywhere(
    kafka_bootstrap: str, kafka_topic: str, tmp_path: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    dice = random.Random(SEED)
    records, turnover = history(kafka_topic, dice)
    publisher = KafkaBus(kafka_bootstrap).publisher()

    def rows(query: str) -> list[Any]:
        with sqlite3.connect(tmp_path / "erp.db", timeout=10) as database:
            return database.execute(query).fetchall()

    def seen() -> int:
        return int(rows("SELECT count(*) FROM seen")[0][0])

    process = start()
    for part in range(KILLS):
        cut = slice(part * len(records) // KILLS, (part + 1) * len(records) // KILLS)
        assert publisher.publish(records[cut]) == [None] * len(records[cut])
        before = seen() if part else 0
        _wait(lambda: seen() > before + dice.randint(0, 30))  # noqa: B023 - called before the loop goes on
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()
    publisher.close()
    poison = sum("ce_id" not in r.headers or len(json.loads(r.value)) == 1 for r in records)
    known = {r.headers["ce_id"] for r in records if r.headers and "redesigned" not in r.headers["ce_type"]}
    expected = len(known) - ORDERS // 10  # the seventh of each ten is broken: what it changed is undone
    _wait(
        lambda: (
            rows("SELECT count(*) FROM seen") == [(expected,)] and len(rows("SELECT * FROM failed")) == poison
        )
    )
    process.terminate()
    assert process.wait(15) == 0

    assert rows("SELECT count(*) FROM seen") == [(expected,)]
    assert dict(rows("SELECT customer, cents FROM turnover")) == turnover
    assert rows("SELECT count(*), sum(cents = 0) FROM orders") == [(ORDERS, ORDERS // 10)]
    assert sorted({value for (value,) in rows("SELECT value FROM failed")})[0] == b"\x00\xff no event"


def _wait(condition: Callable[[], bool], patience: float = 90.0) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except sqlite3.OperationalError:  # the tables are not there yet
            pass
        time.sleep(0.01)
    raise AssertionError("it did not come to that in time")
