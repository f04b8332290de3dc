"""One runner for the library's tables and a service's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from shared.db import migrations
from shared.db.engine import Database
from shared.db.migrations import PLUMBING, at_head, migrate, wait_for_head
from shared.db.plumbing import METADATA

FIRST = '''
"""Create notes."""
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE notes (id bigint PRIMARY KEY)")
'''
SECOND = '''
"""Let notes have a text."""
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("ALTER TABLE notes ADD COLUMN body text")
'''
BROKEN = '''
"""Do half of something."""
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade():
    op.execute("CREATE TABLE half (id bigint)")
    op.execute("ALTER TABLE nowhere ADD COLUMN x text")
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The migrations of a service."""
    (tmp_path / "0001_create_notes.py").write_text(FIRST)
    (tmp_path / "0002_add_body.py").write_text(SECOND)
    return tmp_path


@pytest.fixture(autouse=True)
def _read_scripts_afresh() -> None:
    migrations._scripts.cache_clear()


def _ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def _tables(url: str) -> set[str]:
    names = _ask(
        url,
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )
    return {name for (name,) in names}


def test_the_librarys_tables_come_first_then_the_services(empty_database: str, own: Path) -> None:
    migrate(empty_database, own)
    assert _tables(empty_database) >= {*METADATA.tables, "notes", "alembic_version", "alembic_version_shared"}
    assert _ask(empty_database, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_service_without_tables_gets_the_librarys(empty_database: str) -> None:
    migrate(empty_database, None)
    assert "outbox" in _tables(empty_database)
    assert "alembic_version" not in _tables(empty_database)


def test_a_second_run_changes_nothing(empty_database: str, own: Path) -> None:
    migrate(empty_database, own)
    everything = "SELECT relname::text, oid::int FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    before = set(_ask(empty_database, everything))
    migrate(empty_database, own)
    assert set(_ask(empty_database, everything)) == before


def test_only_what_is_new_is_run(empty_database: str, own: Path) -> None:
    second = own / "0002_add_body.py"
    later = second.read_text()
    second.unlink()
    migrate(empty_database, own)
    second.write_text(later)
    migrations._scripts.cache_clear()
    migrate(empty_database, own)
    assert _ask(empty_database, "SELECT body FROM notes") == []


def test_runners_at_once_wait_for_each_other(empty_database: str, own: Path) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            migrate(empty_database, own)
        except Exception as error:
            failures.append(error)

    runners = [threading.Thread(target=run) for _ in range(3)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert failures == []
    assert _ask(empty_database, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_database: str, own: Path) -> None:
    migrate(empty_database, own)
    (own / "0003_half.py").write_text(BROKEN)
    migrations._scripts.cache_clear()
    with pytest.raises(Exception, match="nowhere"):
        migrate(empty_database, own)
    assert "half" not in _tables(empty_database)
    assert _ask(empty_database, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_migration_does_not_wait_long_for_a_lock(
    empty_database: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = own / "0002_add_body.py"
    later = second.read_text()
    second.unlink()
    migrate(empty_database, own)
    second.write_text(
        later.replace("op.execute(", "op.execute(\"SET LOCAL lock_timeout = '50ms'\")\n    op.execute(", 1)
    )
    migrations._scripts.cache_clear()
    with psycopg.connect(empty_database) as busy:
        busy.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
        with pytest.raises(Exception, match="lock timeout"):
            migrate(empty_database, own)


def test_readiness_tells_whether_the_database_is_at_this_version(empty_database: str, own: Path) -> None:
    database = Database.connect(empty_database, application="test")
    assert at_head(database, own) == (False, "the database is not migrated to this version")
    migrate(empty_database, own)
    assert at_head(database, own) == (True, None)
    (own / "0003_half.py").write_text(BROKEN)
    migrations._scripts.cache_clear()
    assert at_head(database, own)[0] is False
    database.close()


def test_what_was_deployed_before_stays_ready_while_the_database_is_newer(
    empty_database: str, own: Path
) -> None:
    migrate(empty_database, own)
    (own / "0002_add_body.py").unlink()
    migrations._scripts.cache_clear()
    database = Database.connect(empty_database, application="test")
    assert at_head(database, own) == (True, None)
    database.close()


def test_who_waits_for_the_migration_goes_on_once_another_has_done_it(
    empty_database: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database.connect(empty_database, application="test")
    assert wait_for_head(database, own, 0) == (False, "the database is not migrated to this version")
    assert _tables(empty_database) == set()
    looks: list[float] = []

    def migrate_meanwhile(seconds: float) -> None:
        looks.append(seconds)
        migrate(empty_database, own)

    monkeypatch.setattr(migrations.time, "sleep", migrate_meanwhile)
    assert wait_for_head(database, own, 60) == (True, None)
    assert looks == [1.0]
    database.close()


def test_readiness_tells_that_the_database_is_away() -> None:
    away = Database.connect("postgresql://nobody@127.0.0.1:1/nowhere", application="test")
    assert at_head(away, None) == (False, "the database cannot be reached (OperationalError)")


def test_every_migration_of_the_library_can_be_undone(empty_database: str) -> None:
    migrate(empty_database, None)
    scripts: ScriptDirectory = migrations._scripts(PLUMBING)
    engine = create_engine(empty_database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        for script in scripts.walk_revisions():
            script.module.downgrade()
    engine.dispose()
    left = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert _tables(empty_database) == {"alembic_version_shared"}
    assert _ask(empty_database, left) == [(0,)]


def _described(url: str) -> dict[str, Any]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    found = inspect(engine)
    described = {}
    for table in METADATA.tables:
        described[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], bool(column.get("identity")))
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "indexes": {
                index["name"]: (index["column_names"], index["unique"]) for index in found.get_indexes(table)
            },
        }
    engine.dispose()
    return described


def test_the_migrated_tables_are_those_the_code_describes(
    plumbing_database: str, empty_database: str
) -> None:
    engine = create_engine(empty_database.replace("postgresql://", "postgresql+psycopg://"))
    METADATA.create_all(engine)
    engine.dispose()
    migrated, declared = _described(plumbing_database), _described(empty_database)
    for table in METADATA.tables:
        assert migrated[table]["columns"] == declared[table]["columns"], table
        assert migrated[table]["key"] == declared[table]["key"], table
        assert migrated[table]["indexes"].items() >= declared[table]["indexes"].items(), table
