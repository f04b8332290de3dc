"""The arithmetic of scaling, and the page that tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import scale_page
from bench.results import Occasion
from bench.sizing import Assumed, Costs, needs

OCCASION = Occasion(datetime(2026, 11, 22, 6, 30, tzinfo=UTC), "abc1234", 0.25, 61.0, 0.42)
COSTS = Costs(
    read=0.006,
    read_db=0.002,
    write=0.012,
    write_db=0.004,
    relay=0.0001,
    relay_db=0.0001,
    broker=0.0002,
    handler=0.001,
    handler_db=0.0005,
    archiver=0.0002,
    archiver_db=0.0003,
    record=1_500,
    archive=2_000,
    projections=500,
    outbox=2_000,
    inbox=1_500,
    backup=350,
    scattered=100,
    relay_rate=4_000,
    folded=5_000,
    rebuilt=10_000,
)


def figures(assumed: Assumed, costs: Costs = COSTS) -> dict[str, str]:
    return {need.what: need.figure for need in needs(assumed, costs)}


def test_people_cause_requests_and_requests_take_processes() -> None:
    found = figures(Assumed())
    # 10,000 × 0.4 × 180 / 3,600 s × 2 = 400/s; × (0.9 × 6 ms + 0.1 × 12 ms) / 0.6 = 4.4 processors.
    assert found["requests"] == "400/s"
    assert found["web processes, all services"] == "5"
    assert found["processors of their databases"] == "1.5"
    assert found["facts that people cause"] == "80/s"


def test_facts_take_processors_and_disk() -> None:
    found = figures(Assumed())
    assert found["one relay, if all came from one service"] == "25%"
    assert found["one analytics, which folds in one place"] == "20%"
    assert found["bus processes that handle facts"] == "4"  # 1,000/s × 2 × 1 ms / 0.6 = 3.3
    assert found["processors of databases, for facts"] == "2.3"  # (0.1 + 0.3 + 2 × 0.5) ms × 1,000/s / 0.6
    assert found["facts a day, on average"] == "20 million"  # 28.8 M × 250 / 365
    assert found["disk of the brokers"] == "1.8 TB"  # 19.7 M × 14 × 1,500 B × 3 / 0.7
    assert found["inboxes, all services, each copy"] == "7.6 TB"  # 19.7 M × 2 × 90 × 1,500 B / 0.7


def test_the_archive_grows_to_a_billion() -> None:
    found = figures(Assumed())
    assert found["archived facts a year"] == "7.2 billion"
    assert found["until a billion are archived"] == "51 days"
    assert found["disk of a billion, each copy"] == "3.6 TB"  # 2,500 B × 10⁹ / 0.7
    assert found["memory for indexes of the newest month"] == "60 GB"
    assert found["a copy of the whole database"] == "6.9 h"
    assert found["all projections built again"] == "28 h"


def test_what_is_assumed_counts_and_nothing_else_moves() -> None:
    before, after = figures(Assumed()), figures(replace(Assumed(), users=20_000))
    changed = {what for what in before if before[what] != after[what]}
    assert changed == {
        "requests",
        "web processes, all services",
        "processors of their databases",
        "facts that people cause",
    }


def flow(**changes: Any) -> dict[str, Any]:
    shares = {
        "relay": {"total": 0.4, "busiest": 0.4},
        "broker": {"total": 0.3, "busiest": 0.3},
        "consumer": {"total": 0.5, "busiest": 0.5},
        "PostgreSQL of the consumer": {"total": 0.3, "busiest": 0.1},
        "PostgreSQL of the producer": {"total": 0.1, "busiest": 0.1},
    }
    row = {
        "way": "archived",
        "bus": "kafka",
        "partitions": 12,
        "producers": 1,
        "consumers": 1,
        "facts": 5_000,
    }
    return row | {"seconds": 2.0, "sent": 1.0, "stored": 1.6, "shares": shares, "elsewhere": 0.1} | changes


def asked(kind: str, rate: float) -> dict[str, Any]:
    shares = {"web": {"total": 0.9, "busiest": 0.9}, "PostgreSQL": {"total": 0.3, "busiest": 0.1}}
    return {"kind": kind, "workers": 1, "rate": rate, "shares": shares, "elsewhere": 0.2}


ARCHIVED = {
    "facts": 50_000,
    "types": 49,
    "message": 800.0,
    "headers": 600.0,
    "table": 1_500.0,
    "toast": 100.0,
    "indexes": {
        "ix_archive_aggregate_id_aggregate_version": 80.0,
        "ix_archive_correlation_id": 20.0,
        "pk_archive": 50.0,
    },
    "projections": 250.0,
    "backup": 350.0,
    "outbox": 2_000.0,
    "inbox": 1_600.0,
    "folded": 5_000.0,
    "rebuilt": 10_000.0,
    "backed_up": 20_000.0,
}
ROWS = {
    "scale_kafka": [
        flow(),
        flow(consumers=2, seconds=1.25),
        flow(way="ordered"),
        flow(way="sent", consumers=0, stored=None),
        flow(way="sent", producers=2, consumers=0, stored=None, seconds=1.0),
    ],
    "scale_postgres": [flow(bus="postgres", partitions=1, elsewhere=0.4)],
    "scale_requests": [asked("list", 150.0), asked("create", 100.0)],
    "scale_archive": [ARCHIVED],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scale_page, "_LATEST", tmp_path / "results" / "scale.json")
    monkeypatch.setattr(scale_page, "_PAGE", tmp_path / "page.md")
    monkeypatch.setattr(scale_page.psutil, "cpu_count", lambda: 2)
    return tmp_path


def test_a_page_is_written_once_every_part_is_measured(files: Path) -> None:
    *first, last = ROWS
    assert not any(scale_page.keep(name, ROWS[name], OCCASION) for name in first)
    assert not (files / "page.md").exists()
    assert scale_page.keep(last, ROWS[last], OCCASION)
    assert set(json.loads((files / "results" / "scale.json").read_text())) == set(ROWS)
    page = (files / "page.md").read_text()
    assert "Measured 2026-11-22 06:30 UTC, commit abc1234, load before 0.2, loop 61 ms, sync 0.42 ms." in page


def test_a_part_that_is_measured_again_replaces_the_old_one_and_no_other(files: Path) -> None:
    for name, rows in ROWS.items():
        scale_page.keep(name, rows, OCCASION)
    scale_page.keep("scale_requests", [asked("list", 300.0), asked("create", 100.0)], OCCASION)
    page = (files / "page.md").read_text()
    assert "| list | 1 | 300 | 1.00 |" in page
    assert "| list | 1 | 150 |" not in page
    assert "| archived | 12 | 1 | 2 | 4,000 | 1.60 |" in page


def test_the_bound_is_a_busy_process_else_the_machine_else_waiting(files: Path) -> None:
    for name, rows in ROWS.items():
        scale_page.keep(name, rows, OCCASION)
    lines = (files / "page.md").read_text().splitlines()
    bounds = {tuple(line.split(" | ")[:4]): line.removesuffix(" |").split(" | ")[-1] for line in lines}
    assert bounds["| archived", "12", "1", "1"] == "waiting"  # 1.7 of 2 processors, none of them for long
    assert bounds["| archived", "1", "1", "1"] == "machine"  # 2.0 of 2
    assert bounds["| list", "1", "150", "1.00"] == "web"  # one interpreter, 0.9 of a processor


def test_costs_are_those_of_one_process(files: Path) -> None:
    for name, rows in ROWS.items():
        scale_page.keep(name, rows, OCCASION)
    page = (files / "page.md").read_text()
    # Reads 0.9 / 150 = 6 ms, writes 0.9 / 100 = 9 ms; one in ten is a write.
    assert "| web processes, all services | × 6.3 ms of a processor, 60% in use | 5 |" in page
    # 0.4 of a processor at 2,500/s.
    assert "| processors of relays | 1,000/s × 0.16 ms / 60% | 0.3 |" in page
    assert "| one relay, if all came from one service | of its 2,500/s | 40% |" in page
    assert "| disk of a billion, each copy | (1,750 + 250) B / 70% | 2.9 TB |" in page
