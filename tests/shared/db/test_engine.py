"""Connections with limits of their own: nothing waits for ever."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError

from shared.db.engine import Database, connect, libpq_url


@pytest.fixture
def database(empty_database: str) -> Iterator[Database]:
    connected = Database.connect(empty_database, application="sales web", statement_timeout_ms=100)
    yield connected
    connected.close()


def test_nothing_is_opened_before_a_session_works() -> None:
    Database.connect("postgresql://nobody@127.0.0.1:1/nowhere", application="x").session().close()


def test_a_url_is_taken_with_and_without_a_driver(empty_database: str) -> None:
    with_driver = empty_database.replace("postgresql://", "postgresql+psycopg://")
    assert libpq_url(with_driver) == libpq_url(empty_database) == empty_database
    for url in (with_driver, empty_database):
        with Database.connect(url, application="x").session() as session:
            assert session.scalar(text("SELECT 1")) == 1
            session.connection().engine.dispose()


def test_a_statement_that_takes_too_long_is_ended(database: Database) -> None:
    with database.session() as session, pytest.raises(OperationalError, match="statement timeout"):
        session.execute(text("SELECT pg_sleep(5)"))


def test_a_connection_tells_its_name_and_keeps_utc(database: Database) -> None:
    with database.session() as session:
        assert session.scalar(text("SHOW application_name")) == "sales web"
        assert session.scalar(text("SHOW timezone")) == "UTC"
        assert session.scalar(text("SHOW lock_timeout")) == "4s"


def asked_of_tcp(connection: psycopg.Connection) -> tuple[int, ...]:
    """What the kernel was told: seconds to the first probe, between probes, probes; milliseconds without an answer."""
    with socket.socket(fileno=os.dup(connection.fileno())) as copy:
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        return tuple(copy.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names)


def test_a_server_that_vanishes_is_noticed_within_half_a_minute(
    database: Database, empty_database: str
) -> None:
    with database.session() as session:
        pooled = session.connection().connection.dbapi_connection
        assert isinstance(pooled, psycopg.Connection)
        assert asked_of_tcp(pooled) == (10, 5, 3, 20_000)
    with connect(empty_database, application="relay", autocommit=True) as connection:
        assert asked_of_tcp(connection) == (10, 5, 3, 20_000)
        assert connection.autocommit
        assert connection.execute("SHOW application_name").fetchone() == ("relay",)
        assert connection.info.get_parameters()["connect_timeout"] == "5"


def test_json_comes_back_as_it_went(database: Database) -> None:
    value = {"text": "Grüße €", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    with database.session() as session:
        assert session.scalar(select(literal(value, JSONB))) == value
