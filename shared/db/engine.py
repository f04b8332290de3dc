"""Engines and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker

__all__ = ["PATIENCE", "Database", "connect", "libpq_url", "make_engine"]

PATIENCE: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What every connection asks of TCP (libpq's names; seconds, the last one milliseconds): a server that vanished without
a word is given up after 25 s of silence, or when for 20 s it has not acknowledged what was sent. Linux waits hours."""
STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 4_000


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


# The connections that carry facts are psycopg's own; with the standard library's parser a third of the time of storing
# what arrives went into headers.
set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)


def libpq_url(url: str) -> str:
    """`url` as libpq and psycopg take it (without SQLAlchemy's driver name)."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def connect(url: str, *, application: str, **options: Any) -> psycopg.Connection[Any]:
    """A connection of psycopg's own, for what carries facts; `options` are those of `psycopg.connect`. `application`
    shows in pg_stat_activity. Raises psycopg.OperationalError."""
    given: dict[str, Any] = {**PATIENCE, **options}
    return psycopg.connect(libpq_url(url), application_name=application, **given)


def make_engine(
    url: str,
    *,
    application: str,
    pool_size: int = 10,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
) -> Engine:
    """An engine for `url` (any PostgreSQL URL). `application` shows in pg_stat_activity.

    No statement runs longer than `statement_timeout_ms`; a lock is waited for 4 s. Call it after fork only.
    """
    options = (
        f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={LOCK_TIMEOUT_MS}"
        " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
    )
    return create_engine(
        libpq_url(url).replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=3,
        pool_recycle=1800,
        connect_args={"options": options, "application_name": application, **PATIENCE},
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )


class Database:
    """One service's database: an engine and its sessions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        # The same pool. In READ COMMITTED each statement sees what is committed when it starts, inside a transaction
        # or without one: without one two round trips are saved.
        self._reading = sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))

    @classmethod
    def connect(cls, url: str, *, application: str, **options: Any) -> Database:
        """A database reached at `url`; nothing is opened before the first session works."""
        return cls(make_engine(url, application=application, **options))

    def session(self) -> Session:
        """A new session. Objects stay readable after commit."""
        return self._sessions()

    def reading_session(self) -> Session:
        """A new session for questions only; each statement is a transaction of its own."""
        return self._reading()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
