"""How long a fact takes from its commit to its effect in another service, and how many a second go that way.

Facts are made here by the services' own code and committed in their databases; everything behind the commit is done
by the bus processes of a running suite. The time runs from the return of the commit until the effect can be read.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

from bench.results import Row
from bench.samples import deals
from bench.suites import acting, as_service, running_suite
from deploy.local.problems import LocalProblem
from deploy.local.suite import BUSES, LocalSuite
from services.identity.teams.model import Team
from services.identity.teams.use_cases import create_team
from services.sales.opportunities.model import Moment, Opportunity
from services.sales.pipelines.repository import Pipelines
from shared.db.base import AggregateRoot, Recorded
from shared.kernel.money import Money
from shared.service import Runtime

__all__ = ["MEASURES", "measure"]

SAMPLES = 200
FACTS_IN_BATCH = 10_000
TEAMS, CHANGES = 500, 6
ROUNDS = 3
_PATIENCE = 120.0
_WARM_UP = 20
_WRITE = 100

Stated = tuple[AggregateRoot, Recorded]


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
    with as_service(suite, "identity") as identity, _database(suite, "sales") as sales:
        for number in range(_WARM_UP + SAMPLES):
            time.sleep(pause.uniform(0.02, 0.08))
            with acting():
                values = {"name": f"Team {number}", "kind": "sales", "parent_id": None, "lead_id": None}
                team = create_team(values, identity.unit_of_work())
            began = time.perf_counter()
            _wait_for(sales, "SELECT 1 FROM teams WHERE id = %s", team.id, pause=0.001)
            delays.append(1_000 * (time.perf_counter() - began))
    hundredths = statistics.quantiles(delays[_WARM_UP:], n=100, method="inclusive")
    yield Row(f"commit_to_effect_{suite.bus}_p50", hundredths[49], "ms", "< 25")
    yield Row(f"commit_to_effect_{suite.bus}_p99", hundredths[98], "ms", "< 100")


def _events_batch(suite: LocalSuite) -> Iterator[Row]:
    """Deals of sales become rows of analytics: outbox, bus, archive, projections."""
    rates = []
    with as_service(suite, "sales") as sales, _database(suite, "analytics") as analytics:
        for number in range(ROUNDS):
            already = _archived(analytics)
            facts = _new_deals(sales, number)
            began = _commit(sales, facts)
            _wait_for(
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
        _database(suite, "sales") as sales,
    ):
        for number in range(ROUNDS):
            name = f"Round {number}"
            began = _commit(identity, _changing_teams(name))
            last = "SELECT 1 FROM teams WHERE name = %s AND version = %s HAVING count(*) = %s"
            _wait_for(sales, last, name, CHANGES, TEAMS)
            rates.append(TEAMS * CHANGES / (time.perf_counter() - began))
    suite.wait_ready("analytics", "bus")
    yield Row(f"events_ordered_{suite.bus}", statistics.median(rates), "/s", ">= 1000")


MEASURES: Mapping[str, Callable[[LocalSuite], Iterator[Row]]] = {
    "commit_to_effect": _commit_to_effect,
    "events_batch": _events_batch,
    "events_ordered": _events_ordered,
}
"""By name: what measures it on one suite."""


def _new_deals(sales: Runtime, number: int) -> list[Stated]:
    """The facts of new deals, which nobody has to store for the sake of analytics."""
    session = sales.database.session()
    plan = Pipelines(session).active_plan()
    session.close()
    now = datetime.now(UTC)
    moment, today = Moment(now, "user", "system:bench"), now.date()
    facts: list[Stated] = []
    for each in deals(FACTS_IN_BATCH):
        amount = Money.of(f"{1_000 + each.number}", "EUR")
        values = {
            "name": f"Palletising cell {number}-{each.number}",
            "owner_id": each.owner_id,
            "amount": amount,
            "close_date": today + timedelta(days=60),
        }
        deal = Opportunity.create(values, plan, moment, base_amount=amount, today=today)
        facts.extend((deal, fact) for fact in deal.take_recorded())
    return facts


def _changing_teams(name: str) -> list[Stated]:
    """Facts of teams that change again and again, the teams in turn as if all were edited at once."""
    teams = [
        Team.create({"name": name, "kind": "sales", "parent_id": None, "lead_id": None}) for _ in range(TEAMS)
    ]
    for change in range(1, CHANGES):
        for team in teams:
            team.edit({"kind": ("sales", "support")[change % 2]})
    facts = [(team, fact) for team in teams for fact in team.take_recorded()]
    return sorted(facts, key=lambda fact: fact[1].order)


def _commit(service: Runtime, facts: Sequence[Stated]) -> float:
    """Put facts into the outbox of `service` in one transaction; the instant after it (`time.perf_counter`)."""
    session, outbox = service.database.session(), service.outbox()
    remaining = iter(facts)
    with closing(session):
        while some := list(islice(remaining, _WRITE)):
            with acting() as cause:
                outbox.write(session, some, cause, cause.correlation_id, service.clock.now())
        session.commit()
    return time.perf_counter()


def _archived(analytics: psycopg.Connection[Any]) -> int:
    row = analytics.execute("SELECT count(*) FROM archive").fetchone()
    assert row is not None
    return int(row[0])


def _database(suite: LocalSuite, service: str) -> psycopg.Connection[Any]:
    return psycopg.connect(suite.database_url(service), autocommit=True, prepare_threshold=0)


def _wait_for(connection: psycopg.Connection[Any], query: str, *values: Any, pause: float = 0.02) -> None:
    """Return as soon as `query` has a row. Raises LocalProblem when it has none for two minutes."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(query, values).fetchone() is None:
        if time.monotonic() > deadline:
            raise LocalProblem(f"After {_PATIENCE:.0f} s there is still no effect: {query}")
        time.sleep(pause)
