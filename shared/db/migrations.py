"""Migrations: the library's own tables first, then the service's; one runner for all services.

A migration runs against the code that was deployed before it: expand, backfill, contract. It waits at most
4 s for a lock, so that it fails rather than queue the whole service behind it.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from shared.db.engine import PATIENCE, Database, libpq_url

__all__ = ["at_head", "migrate", "wait_for_head"]

PLUMBING = Path(__file__).parent / "plumbing_migrations"
_TREES = ("alembic_version_shared", "alembic_version")
_LOOK_SECONDS = 1.0
_MIGRATION_LOCK = "SELECT pg_advisory_lock(hashtextextended('migrations', 0))"


@lru_cache
def _scripts(directory: Path) -> ScriptDirectory:
    config = Config()
    # The parent stands in for alembic's script folder; only the versions in `directory` are read.
    config.set_main_option("script_location", str(directory))
    config.set_main_option("version_locations", str(directory))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _trees(migrations: Path | None) -> list[tuple[str, Path]]:
    directories = [PLUMBING] if migrations is None else [PLUMBING, migrations]
    return list(zip(_TREES, directories, strict=False))


def migrate(url: str, migrations: Path | None) -> None:
    """Bring the database at `url` to the newest version of the library's and the service's tables.

    `migrations` is the service's folder. Two runners at once wait for each other.
    """
    engine = create_engine(
        libpq_url(url).replace("postgresql://", "postgresql+psycopg://", 1),
        poolclass=NullPool,
        connect_args=dict(PATIENCE),
    )
    with engine.connect() as connection:
        connection.execute(text(_MIGRATION_LOCK))
        connection.execute(text("SET lock_timeout = '4s'"))
        connection.commit()
        for version_table, directory in _trees(migrations):
            scripts = _scripts(directory)
            with EnvironmentContext(
                Config(),
                scripts,
                fn=lambda revision, _context, scripts=scripts: scripts._upgrade_revs("heads", revision),
                destination_rev="heads",
            ) as environment:
                environment.configure(connection=connection, version_table=version_table)
                with environment.begin_transaction():
                    environment.run_migrations()
            connection.commit()
    engine.dispose()


def at_head(database: Database, migrations: Path | None) -> tuple[bool, str | None]:
    """Whether the database is reachable and at this version or a newer one; if not, why.

    What was deployed before runs on the newer schema, and must go on answering while an upgrade is under way.
    """
    try:
        with database.engine.connect() as connection:
            for version_table, directory in _trees(migrations):
                context = MigrationContext.configure(connection, opts={"version_table": version_table})
                if not _reaches_head(set(context.get_current_heads()), _scripts(directory)):
                    return False, "the database is not migrated to this version"
    except SQLAlchemyError as error:
        return False, f"the database cannot be reached ({type(error).__name__})"
    return True, None


def wait_for_head(database: Database, migrations: Path | None, seconds: float) -> tuple[bool, str | None]:
    """Let somebody else migrate the database; the answer of `at_head` once it is yes, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        reached, why = at_head(database, migrations)
        if reached or time.monotonic() >= deadline:
            return reached, why
        time.sleep(_LOOK_SECONDS)


def _reaches_head(current: set[str], scripts: ScriptDirectory) -> bool:
    """Whether these are the newest revisions of `scripts`, or such as only a newer version knows."""
    known = {script.revision for script in scripts.walk_revisions()}
    return current == set(scripts.get_heads()) or bool(current - known)
