"""A small service on a real database, for the tests of what every service stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from shared.kernel.clock import FixedClock
from shared.service import Runtime, Service
from shared.testing.postgres import PostgresForTests
from tests.shared import ledger


@pytest.fixture
def clock() -> FixedClock:
    """A clock that the test moves; the services under test go by it."""
    return FixedClock(ledger.MORNING)


@pytest.fixture
def erp(plumbing_database: str, bus_database: str, clock: FixedClock) -> Iterator[Runtime]:
    """A service with the ledger's tables, which handles its own facts."""
    service = ledger.service("erp", ledger.note_link_when_customer_linked)
    started = ledger.runtime(service, plumbing_database, bus_database, clock)
    yield started
    started.database.close()


@pytest.fixture
def start_service(
    postgres: PostgresForTests, bus_database: str, clock: FixedClock
) -> Iterator[Callable[[Service], Runtime]]:
    """Starts a service on a database of its own; all of one test share a bus."""
    with ExitStack() as stack:

        def start(service: Service) -> Runtime:
            database_url = stack.enter_context(postgres.database("plumbing"))
            started = ledger.runtime(service, database_url, bus_database, clock)
            stack.callback(started.database.close)
            return started

        yield start
