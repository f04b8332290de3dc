"""The transports as fixtures, each with a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from shared.messaging.kafka import KafkaBus
from shared.messaging.postgres_bus import PostgresBus
from shared.testing.kafka import BrokerForTests
from tests.shared.messaging.buses import BusUnderTest


def _no_change() -> None:
    """A PostgreSQL whose connections were cut takes new ones at once."""


def _postgres(request: pytest.FixtureRequest, cleanup: ExitStack) -> BusUnderTest:
    url: str = request.getfixturevalue("bus_database")

    def cut() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return BusUnderTest("postgres", url, PostgresBus(url), cut, _no_change, cleanup)


def _kafka(request: pytest.FixtureRequest, cleanup: ExitStack) -> BusUnderTest:
    address: str = request.getfixturevalue("kafka_bootstrap")

    def leave_it() -> None:
        raise AssertionError("this broker is shared: ask for breakable_bus")

    return BusUnderTest("kafka", address, KafkaBus(address), leave_it, leave_it, cleanup)


def _breakable_kafka(request: pytest.FixtureRequest, cleanup: ExitStack) -> BusUnderTest:
    broker: BrokerForTests = request.getfixturevalue("own_kafka")
    return BusUnderTest(
        "kafka", broker.bootstrap, KafkaBus(broker.bootstrap), broker.kill, broker.start, cleanup
    )


_BOTH = ["postgres", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=_BOTH)
def bus(request: pytest.FixtureRequest) -> Iterator[BusUnderTest]:
    """Each transport in turn."""
    with ExitStack() as cleanup:
        yield {"postgres": _postgres, "kafka": _kafka}[request.param](request, cleanup)


@pytest.fixture(params=_BOTH)
def breakable_bus(request: pytest.FixtureRequest) -> Iterator[BusUnderTest]:
    """Each transport in turn, on a broker that nobody else uses."""
    with ExitStack() as cleanup:
        yield {"postgres": _postgres, "kafka": _breakable_kafka}[request.param](request, cleanup)


@pytest.fixture
def kafka_bus(request: pytest.FixtureRequest) -> Iterator[BusUnderTest]:
    """Kafka alone."""
    with ExitStack() as cleanup:
        yield _kafka(request, cleanup)
