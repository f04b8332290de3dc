"""Runs of projections, and the tables they fill: set-based writes, shadow tables, digests, the swap.

A building run fills tables of the same names in a schema of its own; going live is a change of schema, in one
transaction: readers see the old tables or the new ones, never none.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import MetaData, Table, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema, CreateTable, DropSchema

from services.analytics.database.star_schema import STAR
from services.analytics.projection import Row
from services.analytics.projections.errors import UnknownProjection
from services.analytics.projections.model import BlockedKey, ProjectionRun, SkippedFact
from shared.db.base import NAMING
from shared.db.repository import Repository

__all__ = ["Runs", "create_shadow", "digest_of", "drop_shadow", "shadow_schema", "swap", "write_rows"]

LIVE_SCHEMA = "public"
_RETIRED_SCHEMA = "retired_projection"
_INFINITY = "infinity"


class Runs(Repository[ProjectionRun]):
    """The runs of one session."""

    model = ProjectionRun

    def of(self, name: str, state: str, *, lock: bool = False) -> ProjectionRun | None:
        """The run of `name` in `state` (live, building), if there is one."""
        query = select(ProjectionRun).where(ProjectionRun.name == name, ProjectionRun.state == state)
        return self.session.scalar(query.with_for_update() if lock else query)

    def live(self, name: str, *, lock: bool = False) -> ProjectionRun:
        """The live run of `name`. Raises UnknownProjection."""
        found = self.of(name, "live", lock=lock)
        if found is None:
            raise UnknownProjection(f"There is no projection {name}.")
        return found

    def lock(self, *states: str) -> Sequence[Any]:
        """(id, name, projection_version, state, watermark) of the runs in `states`, held until the commit."""
        table = ProjectionRun.__table__
        columns = [table.c[name] for name in ("id", "name", "projection_version", "state", "watermark")]
        query = select(*columns).where(table.c.state.in_(states)).order_by(table.c.id)
        return self.session.execute(query.with_for_update()).all()

    def advance(self, run_ids: Iterable[uuid.UUID], position: int) -> None:
        """These runs have taken in everything up to `position`."""
        # A statement, not the mapped object: moving on is no change of the run that anybody may race with.
        moved = update(ProjectionRun).where(ProjectionRun.id.in_(list(run_ids))).values(watermark=position)
        self.session.execute(moved.execution_options(synchronize_session=False))

    def blocked(self, run_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, set[str]]:
        """The blocked keys of each run."""
        query = select(BlockedKey.run_id, BlockedKey.key).where(BlockedKey.run_id.in_(list(run_ids)))
        found: dict[uuid.UUID, set[str]] = defaultdict(set)
        for run_id, key in self.session.execute(query):
            found[run_id].add(key)
        return found

    def skipped(self) -> Mapping[str, set[str]]:
        """The ids of skipped facts by projection."""
        found: dict[str, set[str]] = defaultdict(set)
        for projection, event_id in self.session.execute(
            select(SkippedFact.projection, SkippedFact.event_id)
        ):
            found[projection].add(str(event_id))
        return found


def shadow_schema(run_id: uuid.UUID) -> str:
    """The schema in which a building run fills its tables."""
    return f"rebuild_{run_id.hex}"


def create_shadow(session: Session, run_id: uuid.UUID, tables: Iterable[str]) -> None:
    """Make empty copies of `tables`, with keys and indexes of the same names."""
    schema = shadow_schema(run_id)
    copies = MetaData(naming_convention=NAMING)
    connection = session.connection()
    connection.execute(CreateSchema(schema))
    for name in tables:
        copy = STAR.tables[name].to_metadata(copies, schema=schema)
        connection.execute(CreateTable(copy))
        for index in copy.indexes:
            index.create(connection)


def drop_shadow(session: Session, run_id: uuid.UUID) -> None:
    """Throw a building run's tables away."""
    session.connection().execute(DropSchema(shadow_schema(run_id), cascade=True, if_exists=True))


def swap(session: Session, run_id: uuid.UUID, tables: Iterable[str]) -> None:
    """Put a building run's tables in the place of the live ones, which are dropped."""
    schema = shadow_schema(run_id)
    connection = session.connection()
    connection.execute(CreateSchema(_RETIRED_SCHEMA))
    for name in tables:
        connection.execute(text(f'ALTER TABLE "{LIVE_SCHEMA}"."{name}" SET SCHEMA "{_RETIRED_SCHEMA}"'))
        connection.execute(text(f'ALTER TABLE "{schema}"."{name}" SET SCHEMA "{LIVE_SCHEMA}"'))
    connection.execute(DropSchema(_RETIRED_SCHEMA, cascade=True))
    connection.execute(DropSchema(schema))


def digest_of(session: Session, tables: Iterable[str], schema: str = LIVE_SCHEMA) -> dict[str, Any]:
    """Per table the number of rows and the sum of their hashes as text: equal for equal sets of rows, in
    whatever order they lie."""
    found = {}
    for name in tables:
        columns = ", ".join(column.name for column in STAR.tables[name].columns)
        query = text(
            f"SELECT count(*), coalesce(sum(hash_record_extended(ROW({columns}), 0)::numeric), 0)"  # noqa: S608
            f' FROM "{schema}"."{name}"'
        )
        rows, total = session.execute(query).one()
        found[name] = {"rows": rows, "hash": str(total)}
    return found


def write_rows(session: Session, schema: str, rows: Iterable[tuple[str, Row]]) -> None:
    """Write rows to the tables in `schema`, a statement a table, by the rule that each table has."""
    by_table: dict[str, list[Row]] = defaultdict(list)
    for name, row in rows:
        by_table[name].append(row)
    for name, found in by_table.items():
        table = STAR.tables[name]
        _WRITERS[table.info["keep"]](session, schema, table, found)


def _keep_every(session: Session, schema: str, table: Table, rows: list[Row]) -> None:
    _insert(session, schema, table, rows)


def _keep_newest(session: Session, schema: str, table: Table, rows: list[Row]) -> None:
    keys = [column.name for column in table.primary_key]
    rows.sort(key=lambda row: (row["version"], row["event_id"]))
    newest = {tuple(row[key] for key in keys): row for row in rows}
    _insert(session, schema, table, list(newest.values()))


def _keep_versions(session: Session, schema: str, table: Table, rows: list[Row]) -> None:
    (key, _) = (column.name for column in table.primary_key)
    rows.sort(key=lambda row: (row[key], row["version"], row["event_id"]))
    distinct = list({(row[key], row["version"]): row for row in rows}.values())
    # A first guess at the intervals, right where the batch holds the whole life of an aggregate.
    for row, following in zip(distinct, [*distinct[1:], None], strict=True):
        row.setdefault("valid_from", row["effective_at"])
        row["valid_to"] = _INFINITY
        if following is not None and following[key] == row[key]:
            row["valid_to"] = following["valid_from"] = max(row["valid_from"], following["effective_at"])
    _insert(session, schema, table, distinct)
    touched = list({row[key] for row in distinct})
    session.execute(text(_intervals(schema, table.name, key)), {"ids": touched})


_WRITERS: dict[str, Callable[[Session, str, Table, list[Row]], None]] = {
    "every": _keep_every,
    "newest": _keep_newest,
    "versions": _keep_versions,
}

# Two facts may claim one version after a producer's database was restored; the later id counts, in any order.
_WINS = {
    "every": "NOTHING",
    "newest": "UPDATE SET {values} WHERE (t.version, t.event_id) < (excluded.version, excluded.event_id)",
    "versions": "UPDATE SET {values} WHERE t.event_id < excluded.event_id",
}


@cache
def _insert_statement(schema: str, name: str) -> str:
    table = STAR.tables[name]
    columns = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    values = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
    names = ", ".join(columns)
    return (
        f'INSERT INTO "{schema}"."{name}" AS t ({names})'  # noqa: S608 - names of our own tables
        f' SELECT {names} FROM json_populate_recordset(NULL::"{schema}"."{name}", CAST(:rows AS json))'
        f" ON CONFLICT ({', '.join(keys)}) DO {_WINS[table.info['keep']].format(values=values)}"
    )


@cache
def _intervals(schema: str, name: str, key: str) -> str:
    return f"""
    WITH ordered AS (
        SELECT {key}, version, max(effective_at) OVER (PARTITION BY {key} ORDER BY version) AS starts
        FROM "{schema}"."{name}" WHERE {key} = ANY(CAST(:ids AS uuid[]))
    ), spans AS (
        SELECT {key}, version, starts,
               lead(starts, 1, 'infinity') OVER (PARTITION BY {key} ORDER BY version) AS ends
        FROM ordered
    )
    UPDATE "{schema}"."{name}" AS t SET valid_from = s.starts, valid_to = s.ends
    FROM spans AS s
    WHERE t.{key} = s.{key} AND t.version = s.version AND (t.valid_from, t.valid_to) <> (s.starts, s.ends)
    """  # noqa: S608 - names of our own tables


def _insert(session: Session, schema: str, table: Table, rows: list[Row]) -> None:
    statement = text(_insert_statement(schema, table.name))
    session.execute(statement, {"rows": orjson.dumps(rows).decode()})
