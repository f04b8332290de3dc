"""One role and one database per service, closed to every other service; and the embedded bus, which they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import psycopg
from psycopg import sql

BUS = "crm_bus"
_BUS_USERS = "crm_bus_users"


class Server(Protocol):
    """A PostgreSQL server."""

    def url(self, database: str) -> str:
        """Address of `database` for the superuser."""


def database_name(service: str) -> str:
    """Name of the role and of the database of ``service``: the same word."""
    return f"crm_{service}"


def provision(server: Server, services: Iterable[str], passwords: Mapping[str, str]) -> None:
    """Create what is missing and close what is open; running it again changes nothing.

    ``passwords`` maps each service to the password of its role.
    """
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        for open_database in ("postgres", "template1"):
            _close(admin, open_database)
        for service in services:
            name = database_name(service)
            _role(admin, name, passwords[service])
            _database(admin, name, owner=name)


def provision_bus(server: Server, services: Iterable[str], password: str) -> None:
    """Create the database of the embedded bus, for services that are provisioned.

    They reach it under their own role: they may read and write its tables, not alter them. ``password`` is that of the
    role which owns them.
    """
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        _role(admin, BUS, password)
        _group(admin, _BUS_USERS)
        _database(admin, BUS, owner=BUS)
        _run(admin, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", BUS, _BUS_USERS)
        for service in services:
            _run(admin, "GRANT {} TO {}", _BUS_USERS, database_name(service))
    with psycopg.connect(server.url(BUS), autocommit=True) as bus:
        _run(bus, "GRANT USAGE ON SCHEMA public TO {}", _BUS_USERS)
        for rights in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE, SELECT ON SEQUENCES"):
            _run(bus, "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT " + rights + " TO {}", BUS, _BUS_USERS)


def _role(admin: psycopg.Connection, name: str, password: str) -> None:
    verb = "ALTER" if _exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", name) else "CREATE"
    admin.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(name), sql.Literal(password)
        )
    )


def _group(admin: psycopg.Connection, name: str) -> None:
    if not _exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
        _run(admin, "CREATE ROLE {} NOLOGIN", name)


def _database(admin: psycopg.Connection, name: str, *, owner: str) -> None:
    if not _exists(admin, "SELECT 1 FROM pg_database WHERE datname = %s", name):
        _run(admin, "CREATE DATABASE {} OWNER {} STRATEGY file_copy", name, owner)
    _close(admin, name)


def _close(admin: psycopg.Connection, database: str) -> None:
    _run(admin, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)


def _exists(admin: psycopg.Connection, query: str, name: str) -> bool:
    return admin.execute(query, (name,)).fetchone() is not None


def _run(admin: psycopg.Connection, statement: str, *names: str) -> None:
    admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
