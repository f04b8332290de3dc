"""pytest fixtures: one real PostgreSQL per test run, and databases of a test's own.

A service's database is migrated once per run into a template; a test gets a copy of it (about 15 ms, all in
memory), so tests never see each other's rows and never clean up after themselves.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module

import psycopg
import pytest
from psycopg import sql

from deploy.local.postgres import EPHEMERAL, Cluster
from deploy.local.problems import free_port
from shared.db.migrations import migrate
from shared.messaging.postgres_bus import create_log
from shared.testing.run_directory import once_per_run, run_directory

__all__ = [
    "PostgresForTests",
    "bus_database",
    "database_for",
    "empty_database",
    "module_database_for",
    "plumbing_database",
    "postgres",
]

# Services never connect as superuser, so neither do their tests.
_ROLE = "crm_test"
_PASSWORD = "test"  # noqa: S105 - guards nothing: the server listens on loopback and dies with the run
_PLUMBING = "plumbing"
_BUS = "bus"


class PostgresForTests:
    """The server of this test run and the databases on it."""

    def __init__(self) -> None:
        self._cluster = Cluster(
            run_directory() / "postgres",
            once_per_run("postgres", _start_server),
            log=run_directory() / "postgres.log",
            settings=EPHEMERAL,
        )
        self._names = (f"test_{os.getpid()}_{number}" for number in itertools.count())
        self._admin = psycopg.connect(self._cluster.url("postgres"), autocommit=True)

    def close(self) -> None:
        """Give the administrator's connection back."""
        self._admin.close()

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """A new database: empty, or a copy of what ``template`` (a service, plumbing, bus) migrates to.

        Yields its URL and drops it at the end, cutting connections that are still open.
        """
        source = self._template(template) if template else "template1"
        name = next(self._names)
        self._create(name, source)
        try:
            yield self.url(name)
        finally:
            self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, database: str) -> str:
        """Address of ``database`` for the role that tests use."""
        return self._cluster.url(database, _ROLE, _PASSWORD)

    def _template(self, service: str) -> str:
        name = f"template_{service}"
        once_per_run(name, lambda: self._migrate(service, name))
        return name

    def _migrate(self, service: str, name: str) -> None:
        self._create(name, "template1")
        _MIGRATIONS.get(service, _migrate_service)(service, self.url(name))
        self._admin.execute(
            sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name))
        )

    def _create(self, name: str, source: str) -> None:
        self._admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(_ROLE), sql.Identifier(source)
            )
        )


def _start_server() -> int:
    port = free_port()
    folder = run_directory()
    cluster = Cluster(folder / "postgres", port, log=folder / "postgres.log", settings=EPHEMERAL)
    cluster.start()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(_ROLE), sql.Literal(_PASSWORD))
        )
    return port


def _migrate_service(service: str, url: str) -> None:
    migrate(url, import_module(f"services.{service}.wiring").SERVICE.migrations)


_MIGRATIONS: Mapping[str, Callable[[str, str], None]] = {
    _PLUMBING: lambda _, url: migrate(url, None),
    _BUS: lambda _, url: create_log(url),
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresForTests]:
    """The PostgreSQL server of this test run."""
    server = PostgresForTests()
    yield server
    server.close()


@pytest.fixture
def empty_database(postgres: PostgresForTests) -> Iterator[str]:
    """URL of an empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def plumbing_database(postgres: PostgresForTests) -> Iterator[str]:
    """URL of a database with the tables that the library keeps in every service, such as the outbox."""
    with postgres.database(_PLUMBING) as url:
        yield url


@pytest.fixture
def bus_database(postgres: PostgresForTests) -> Iterator[str]:
    """URL of a bus database with an empty log."""
    with postgres.database(_BUS) as url:
        yield url


@pytest.fixture
def database_for(postgres: PostgresForTests) -> Iterator[Callable[[str], str]]:
    """``database_for("sales")`` is the URL of a migrated database of sales, the same within one test."""
    with _databases(postgres) as by_service:
        yield by_service


@pytest.fixture(scope="module")
def module_database_for(postgres: PostgresForTests) -> Iterator[Callable[[str], str]]:
    """Like ``database_for``, one database for all tests of a module: for read-only tests over much data."""
    with _databases(postgres) as by_service:
        yield by_service


@contextmanager
def _databases(postgres: PostgresForTests) -> Iterator[Callable[[str], str]]:
    made: dict[str, str] = {}
    with ExitStack() as stack:

        def by_service(service: str) -> str:
            if service not in made:
                made[service] = stack.enter_context(postgres.database(service))
            return made[service]

        yield by_service
