"""Facts to measure with, made by the services' own code and written by their own outbox, and the wait for effects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

from bench.samples import deals
from bench.suites import acting
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite
from services.identity.teams.model import Team
from services.sales.opportunities.model import Moment, Opportunity
from services.sales.pipelines.repository import Pipelines
from shared.db.base import AggregateRoot, Recorded
from shared.kernel.money import Money
from shared.service import Runtime

__all__ = ["Stated", "changing_teams", "commit", "database", "new_deals", "wait_for"]

_PATIENCE = 120.0
_WRITE = 100

Stated = tuple[AggregateRoot, Recorded]
"""A fact, and the record that it is about."""


def new_deals(sales: Runtime, name: str, count: int) -> list[Stated]:
    """The facts of `count` new deals, which nobody has to store for the sake of analytics."""
    session = sales.database.session()
    plan = Pipelines(session).active_plan()
    session.close()
    now = datetime.now(UTC)
    moment, today = Moment(now, "user", "system:bench"), now.date()
    facts: list[Stated] = []
    for each in deals(count):
        amount = Money.of(f"{1_000 + each.number}", "EUR")
        values = {
            "name": f"Palletising cell {name}-{each.number}",
            "owner_id": each.owner_id,
            "amount": amount,
            "close_date": today + timedelta(days=60),
        }
        deal = Opportunity.create(values, plan, moment, base_amount=amount, today=today)
        facts.extend((deal, fact) for fact in deal.take_recorded())
    return facts


def changing_teams(name: str, count: int, facts_each: int) -> list[Stated]:
    """Facts of `count` teams that change again and again, the teams in turn as if all were edited at once."""
    teams = [
        Team.create({"name": name, "kind": "sales", "parent_id": None, "lead_id": None}) for _ in range(count)
    ]
    for change in range(1, facts_each):
        for team in teams:
            team.edit({"kind": ("sales", "support")[change % 2]})
    facts = [(team, fact) for team in teams for fact in team.take_recorded()]
    return sorted(facts, key=lambda fact: fact[1].order)


def commit(service: Runtime, facts: Sequence[Stated]) -> float:
    """Put facts into the outbox of `service` in one transaction; the instant after it (`time.perf_counter`)."""
    session, outbox = service.database.session(), service.outbox()
    remaining = iter(facts)
    with closing(session):
        while some := list(islice(remaining, _WRITE)):
            with acting() as cause:
                outbox.write(session, some, cause, cause.correlation_id, service.clock.now())
        session.commit()
    return time.perf_counter()


def database(suite: LocalSuite, service: str) -> psycopg.Connection[Any]:
    """A connection to the database of `service`."""
    return psycopg.connect(suite.database_url(service), autocommit=True, prepare_threshold=0)


def wait_for(connection: psycopg.Connection[Any], query: str, *values: Any, pause: float = 0.02) -> None:
    """Return as soon as `query` has a row. Raises LocalProblem when it has none for two minutes."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(query, values).fetchone() is None:
        if time.monotonic() > deadline:
            raise LocalProblem(f"After {_PATIENCE:.0f} s there is still no effect: {query}")
        time.sleep(pause)
