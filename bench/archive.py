"""What an archived fact takes: bytes in tables, indexes and a backup, and the time to fold it into projections again.

The facts are those of the demo, all services taking part, each copied with new ids until there are many: so messages
are as long and types as frequent as in real work, and indexes as deep as in a small archive.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from rich.console import Console

from bench.facts import database, wait_for
from bench.suites import running_suite
from deploy.local.client import SuiteClient
from deploy.local.demo import run_demo
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite
from deploy.operator.places import LocalPlace
from deploy.operator.restore import back_up
from services.analytics.database.star_schema import STAR
from services.analytics.facts import PROJECTIONS

__all__ = ["Archived", "measure"]

FACTS = 50_000
_CAUGHT_UP = (
    "SELECT 1 FROM projection_runs WHERE state = 'live'"
    " HAVING min(watermark) >= (SELECT max(position) FROM archive)"
)
_NONE_BUILDING = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM projection_runs WHERE state = 'building')"
# Who looks for a copy by a key of its own finds one row, as with facts that were made one by one.
_NEW_IDS = {
    "archive": {
        "position": "nextval('archive_position')",
        "event_id": "uuidv7()",
        "aggregate_id": "md5(t.aggregate_id || copy)::uuid::text",
        "correlation_id": "md5(t.correlation_id::text || copy)::uuid",
    },
    "outbox": {
        "event_id": "uuidv7()",
        "aggregate_id": "md5(t.aggregate_id || copy)::uuid::text",
        "partition_key": "md5(t.partition_key || copy)::uuid::text",
        "correlation_id": "md5(t.correlation_id::text || copy)::uuid",
    },
    "inbox": {
        "event_id": "uuidv7()::text",
        "partition_key": "md5(t.partition_key || copy)::uuid::text",
        "correlation_id": "md5(t.correlation_id::text || copy)::uuid",
    },
}


@dataclass(frozen=True, slots=True)
class Archived:
    """Bytes a fact: of its message and headers, of the archive's table, of what PostgreSQL keeps beside it (TOAST), of
    each index, of the projections' tables, of a backup by pg_dump; of a row of outbox and inbox with its indexes. Facts
    a second: folded into all live projections, folded again into one projection after the other; backed up."""

    facts: int
    types: int
    message: float
    headers: float
    table: float
    toast: float
    indexes: Mapping[str, float]
    projections: float
    backup: float
    outbox: float
    inbox: float
    folded: float
    rebuilt: float
    backed_up: float


def measure(say: Callable[[str], None]) -> Archived:
    """Fill an archive and weigh it."""
    with running_suite("scale-archive") as suite:
        run_demo(suite, Console(file=io.StringIO()))
        with database(suite, "analytics") as analytics, database(suite, "sales") as sales:
            wait_for(analytics, _CAUGHT_UP)
            folded = _fill(analytics)
            say(f"archive: folded {folded:.0f}/s")
            rebuilt = _rebuild(suite, analytics)
            say(f"archive: folded again {rebuilt:.0f}/s")
            backup, backed_up = _back_up(suite, analytics)
            for table in ("outbox", "inbox"):
                _multiply(sales, table, FACTS // 5)
            return Archived(
                facts=_count(analytics, "archive"),
                types=int(_number(analytics, "SELECT count(DISTINCT type) FROM archive")),
                message=_number(analytics, "SELECT avg(octet_length(payload)) FROM archive"),
                headers=_number(analytics, "SELECT avg(octet_length(headers::text)) FROM archive"),
                **_weigh(analytics),
                backup=backup,
                outbox=_row_bytes(sales, "outbox"),
                inbox=_row_bytes(sales, "inbox"),
                folded=folded,
                rebuilt=rebuilt,
                backed_up=backed_up,
            )


def _fill(analytics: psycopg.Connection[Any]) -> float:
    """Facts a second that all projections together take in."""
    before = _count(analytics, "archive")
    _multiply(analytics, "archive", FACTS)
    began = time.perf_counter()
    wait_for(analytics, _CAUGHT_UP)
    seconds = time.perf_counter() - began
    # In life this happens now and then by itself.
    analytics.execute("VACUUM ANALYZE archive")
    return (_count(analytics, "archive") - before) / seconds


def _multiply(connection: psycopg.Connection[Any], table: str, rows: int) -> None:
    """Copy the rows of a table, with ids of their own, until there are about `rows`."""
    new_ids = _NEW_IDS[table]
    names = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s AND is_identity = 'NO'",
            (table,),
        )
    ]
    values = ", ".join(new_ids.get(name, f"t.{name}") for name in names)
    connection.execute(
        f"INSERT INTO {table} ({', '.join(names)})"
        f" SELECT {values} FROM generate_series(1, %s) AS copy, {table} AS t",
        (rows // _count(connection, table),),
    )


def _rebuild(suite: LocalSuite, analytics: psycopg.Connection[Any]) -> float:
    """Facts a second when every projection is built again, one after the other. Raises LocalProblem if one fails."""
    client = SuiteClient(suite)
    began = time.perf_counter()
    for name in PROJECTIONS:
        client.post("analytics", f"/v1/projections/{name}/rebuild")
        wait_for(analytics, _NONE_BUILDING)
    seconds = time.perf_counter() - began
    failed = analytics.execute("SELECT name, reason FROM projection_runs WHERE state = 'failed'").fetchone()
    if failed is not None:
        raise LocalProblem(f"The projection {failed[0]} could not be built again: {failed[1]}")
    return _count(analytics, "archive") / seconds


def _back_up(suite: LocalSuite, analytics: psycopg.Connection[Any]) -> tuple[float, float]:
    """Bytes a fact in a backup of the whole database, and facts a second while it is made."""
    facts = _count(analytics, "archive")
    with TemporaryDirectory(dir=suite.home) as folder:
        file = Path(folder) / "analytics.dump"
        began = time.perf_counter()
        back_up(LocalPlace(suite), "analytics", file)
        return file.stat().st_size / facts, facts / (time.perf_counter() - began)


def _weigh(analytics: psycopg.Connection[Any]) -> dict[str, Any]:
    """Bytes a fact, by where they lie."""
    facts = _count(analytics, "archive")
    partitions = (
        "FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = 'archive'::regclass"
    )
    indexes = analytics.execute(
        "SELECT p.relname, sum(pg_relation_size(h.inhrelid)) / %s FROM pg_inherits h"
        " JOIN pg_index i ON i.indexrelid = h.inhparent JOIN pg_class p ON p.oid = h.inhparent"
        " WHERE i.indrelid = 'archive'::regclass GROUP BY 1 ORDER BY 1",
        (facts,),
    )
    tables = ", ".join(f"'{name}'" for name in STAR.tables)
    return {
        "table": _number(analytics, f"SELECT sum(pg_relation_size(c.oid)) {partitions}") / facts,
        "toast": _number(analytics, f"SELECT sum(pg_total_relation_size(c.reltoastrelid)) {partitions}")
        / facts,
        "indexes": {name: float(size) for name, size in indexes},
        "projections": _number(
            analytics,
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            f" WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname IN ({tables})",
        )
        / facts,
    }


def _row_bytes(connection: psycopg.Connection[Any], table: str) -> float:
    """Bytes of a row with its share of indexes and TOAST."""
    return _number(connection, f"SELECT pg_total_relation_size('{table}')") / _count(connection, table)


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    return int(_number(connection, f"SELECT count(*) FROM {table}"))


def _number(connection: psycopg.Connection[Any], query: str) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])
