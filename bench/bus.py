"""How long a fact takes from its commit to its effect in another service, and how many a second go that way.

Facts are made here by the services' own code and committed in their databases; everything behind the commit is done
by the bus processes of a running suite. The time runs from the return of the commit until the effect can be read.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from bench.facts import changing_teams, commit, database, new_deals, wait_for
from bench.results import Row
from bench.suites import acting, as_service, running_suite
from deploy.local.suite import BUSES, LocalSuite
from services.identity.teams.use_cases import create_team

__all__ = ["MEASURES", "measure"]

SAMPLES = 200
FACTS_IN_BATCH = 10_000
TEAMS, CHANGES = 500, 6
ROUNDS = 3
_WARM_UP = 20


def measure(names: Sequence[str]) -> Iterator[Row]:
    """Measure the rows with these names on each transport."""
    for bus in BUSES:
        with running_suite(f"bus-{bus}", "identity,sales,analytics", bus=bus) as suite:
            for name in names:
                yield from MEASURES[name](suite)


def _commit_to_effect(suite: LocalSuite) -> Iterator[Row]:
    """A new team of identity becomes known to sales, one at a time, while nothing else happens."""
    delays = []
    pause = random.Random(1)
    with as_service(suite, "identity") as identity, database(suite, "sales") as sales:
        for number in range(_WARM_UP + SAMPLES):
            time.sleep(pause.uniform(0.02, 0.08))
            with acting():
                values = {"name": f"Team {number}", "kind": "sales", "parent_id": None, "lead_id": None}
                team = create_team(values, identity.unit_of_work())
            began = time.perf_counter()
            wait_for(sales, "SELECT 1 FROM teams WHERE id = %s", team.id, pause=0.001)
            delays.append(1_000 * (time.perf_counter() - began))
    hundredths = statistics.quantiles(delays[_WARM_UP:], n=100, method="inclusive")
    yield Row(f"commit_to_effect_{suite.bus}_p50", hundredths[49], "ms", "< 25")
    yield Row(f"commit_to_effect_{suite.bus}_p99", hundredths[98], "ms", "< 100")


def _events_batch(suite: LocalSuite) -> Iterator[Row]:
    """Deals of sales become rows of analytics: outbox, bus, archive, projections."""
    rates = []
    with as_service(suite, "sales") as sales, database(suite, "analytics") as analytics:
        for number in range(ROUNDS):
            already = _archived(analytics)
            facts = new_deals(sales, str(number), FACTS_IN_BATCH)
            began = commit(sales, facts)
            wait_for(
                analytics,
                "SELECT 1 FROM projection_runs WHERE state = 'live' HAVING min(watermark) >="
                " (SELECT max(position) FROM archive) AND (SELECT count(*) FROM archive) >= %s",
                already + FACTS_IN_BATCH,
            )
            rates.append(FACTS_IN_BATCH / (time.perf_counter() - began))
    yield Row(f"events_batch_{suite.bus}", statistics.median(rates), "/s", ">= 3000")


def _events_ordered(suite: LocalSuite) -> Iterator[Row]:
    """Changes of teams in identity, many of each team, are followed by sales one by one."""
    rates = []
    # Analytics listens to teams too; here the handlers of one service are measured.
    with (
        suite.held_down("analytics-bus"),
        as_service(suite, "identity") as identity,
        database(suite, "sales") as sales,
    ):
        for number in range(ROUNDS):
            name = f"Round {number}"
            began = commit(identity, changing_teams(name, TEAMS, CHANGES))
            last = "SELECT 1 FROM teams WHERE name = %s AND version = %s HAVING count(*) = %s"
            wait_for(sales, last, name, CHANGES, TEAMS)
            rates.append(TEAMS * CHANGES / (time.perf_counter() - began))
    suite.wait_ready("analytics", "bus")
    yield Row(f"events_ordered_{suite.bus}", statistics.median(rates), "/s", ">= 1000")


MEASURES: Mapping[str, Callable[[LocalSuite], Iterator[Row]]] = {
    "commit_to_effect": _commit_to_effect,
    "events_batch": _events_batch,
    "events_ordered": _events_ordered,
}
"""By name: what measures it on one suite."""


def _archived(analytics: psycopg.Connection[Any]) -> int:
    row = analytics.execute("SELECT count(*) FROM archive").fetchone()
    assert row is not None
    return int(row[0])
