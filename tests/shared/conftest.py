"""A small service on a real database, for the tests of what every service stands on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.kernel.clock import FixedClock
from shared.service import Runtime
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
