"""How facts and requests a second grow with processes and partitions, and which process sets the bound.

Every rate stands beside that of one process and beside the processors that each kind of process kept busy meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from kafka import KafkaAdminClient

from bench.facts import Stated, changing_teams, commit, database, new_deals, wait_for
from bench.load import Load, rate
from bench.processors import Meter, Share
from bench.suites import WEB_THREADS, as_service, more_processes, resting, running_suite
from bench.throughput import fill, listing, new_deal_posts
from deploy.local.client import SuiteClient
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite
from deploy.postgres.databases import BUS, database_name
from shared.messaging.kafka import connect
from shared.service import Runtime

__all__ = ["Asked", "Flow", "facts", "requests"]

STEPS = (1, 2, 4)
PARTITIONS = (3, 6, 12)
ROUNDS = 2
DEALS = 5_000
TEAMS, CHANGES = 400, 6
SECONDS = 3.0
_JOIN_SECONDS = 60.0

Say = Callable[[str], None]
Query = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Flow:
    """A batch of facts on its way: `seconds` from its commit to its last effect, until the last fact was sent, and
    until the last was stored by its consumer (None where nobody consumes)."""

    way: str
    bus: str
    partitions: int
    producers: int
    consumers: int
    facts: int
    seconds: float
    sent: float
    stored: float | None
    shares: Mapping[str, Share]
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests of one kind, `rate` a second, that a server with so many workers answered."""

    kind: str
    workers: int
    rate: float
    shares: Mapping[str, Share]
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Way:
    """A way that facts take. `make` makes a round's facts; `effect` is asked of the database of the `watched` service
    before they are committed, and gives the query that has a row once all of them have had their effect."""

    name: str
    producer: str
    watched: str
    topic: str
    make: Callable[[Runtime, str], Sequence[Stated]]
    effect: Callable[[psycopg.Connection[Any], str], Query]
    stored: str | None = None


def _teams_followed(_: psycopg.Connection[Any], name: str) -> Query:
    query = "SELECT 1 FROM teams WHERE name = %s AND version = %s HAVING count(*) = %s"
    return query, (name, CHANGES, TEAMS)


def _deals_projected(analytics: psycopg.Connection[Any], _: str) -> Query:
    row = analytics.execute("SELECT coalesce(max(position), 0) FROM archive").fetchone()
    assert row is not None
    query = (
        "SELECT 1 FROM projection_runs WHERE state = 'live' HAVING min(watermark) >= %s"
        " AND min(watermark) >= (SELECT max(position) FROM archive)"
        " AND (SELECT count(*) FROM archive WHERE position > %s) >= %s"
    )
    return query, (row[0] + DEALS, row[0], DEALS)


def _all_sent(_: psycopg.Connection[Any], __: str) -> Query:
    return "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE published_at IS NULL)", ()


def _deals(sales: Runtime, name: str) -> Sequence[Stated]:
    return new_deals(sales, name, DEALS)


ARCHIVED = Way(
    "archived",
    "sales",
    "analytics",
    "crm.sales.opportunity",
    _deals,
    _deals_projected,
    "SELECT max(recorded_at) FROM archive",
)
ORDERED = Way(
    "ordered",
    "identity",
    "sales",
    "crm.identity.team",
    lambda _, name: changing_teams(name, TEAMS, CHANGES),
    _teams_followed,
    "SELECT max(received_at) FROM inbox",
)
SENT = Way("sent", "sales", "sales", "crm.sales.opportunity", _deals, _all_sent)


def facts(bus: str, say: Say) -> Iterator[Flow]:
    """Facts a second on a transport with more and more processes, and on Kafka with more and more partitions."""
    with running_suite(f"scale-{bus}", "identity,sales,analytics", bus=bus) as suite:
        for way in (ARCHIVED, ORDERED):
            with ExitStack() as stack:
                if way is ORDERED:
                    stack.enter_context(resting(suite, "analytics"))
                for partitions in _partitionings(suite, way):
                    yield from _with_more_consumers(suite, way, partitions, say)
        with resting(suite, "analytics"):
            yield from _with_more_producers(suite, partitions, say)


def _partitionings(suite: LocalSuite, way: Way) -> Iterator[int]:
    """Give the topic 3, then 6, then 12 partitions. The embedded bus has one log.

    Nothing of the topic may be under way; both sides start anew, for they look for new partitions every half minute.
    """
    if suite.bus != "kafka":
        yield 1
        return
    for count in PARTITIONS:
        if count > PARTITIONS[0]:
            admin = _admin(suite)
            admin.create_partitions({way.topic: count})
            admin.close()
            for service in (way.producer, way.watched):
                suite.restart(service, "bus")
        yield count


def _with_more_consumers(suite: LocalSuite, way: Way, partitions: int, say: Say) -> Iterator[Flow]:
    with ExitStack() as stack:
        consumers = [suite.process(way.watched, "bus").pid]
        for count in STEPS:
            more = more_processes(suite, way.watched, "bus", count - len(consumers))
            consumers += [process.pid for process in stack.enter_context(more)]
            _wait_for_members(suite, f"crm.{way.watched}", count)
            producers = [suite.process(way.producer, "bus").pid]
            yield _best(suite, way, partitions, producers, consumers, say)


def _with_more_producers(suite: LocalSuite, partitions: int, say: Say) -> Iterator[Flow]:
    with ExitStack() as stack:
        producers = [suite.process(SENT.producer, "bus").pid]
        for count in STEPS[:2]:
            more = more_processes(suite, SENT.producer, "bus", count - len(producers))
            producers += [process.pid for process in stack.enter_context(more)]
            yield _best(suite, SENT, partitions, producers, [], say)


def _best(
    suite: LocalSuite, way: Way, partitions: int, producers: list[int], consumers: list[int], say: Say
) -> Flow:
    """The fastest of some rounds: whatever else the machine does can only make one slower."""
    postmaster = suite.postgres.pid
    assert postmaster is not None
    kinds: dict[str, list[int]] = {"relay": producers, "consumer": consumers}
    if suite.broker is not None:
        kinds["broker"] = [pid] if (pid := suite.broker.pid) else []
    databases = {
        BUS: "broker",
        database_name(way.watched): "PostgreSQL of the consumer",
        database_name(way.producer): "PostgreSQL of the producer",
    }
    label = f"{way.name}, {partitions} partitions, {len(producers)} sending, {len(consumers)} consuming"
    rounds = []
    for number in range(ROUNDS):
        meter = Meter(kinds, postmaster, databases)
        seconds, sent, stored = _send_round(suite, way, f"{label}, {number}", meter)
        usage = meter.usage
        flow = Flow(
            way.name,
            suite.bus,
            partitions,
            len(producers),
            len(consumers),
            DEALS if way is not ORDERED else TEAMS * CHANGES,
            seconds,
            sent,
            stored,
            usage.shares,
            usage.elsewhere,
        )
        rounds.append(flow)
    best = min(rounds, key=lambda flow: flow.seconds)
    say(f"{suite.bus}: {label}: {best.facts / best.seconds:.0f}/s")
    return best


def _send_round(suite: LocalSuite, way: Way, name: str, meter: Meter) -> tuple[float, float, float | None]:
    """Seconds from the commit of a round's facts to their effects, until all were sent, and until all were stored."""
    with (
        as_service(suite, way.producer) as producer,
        database(suite, way.producer) as outbox,
        database(suite, way.watched) as watched,
    ):
        query, values = way.effect(watched, name)
        made = way.make(producer, name)
        began = commit(producer, made)
        began_at = datetime.now(UTC)
        with meter:
            wait_for(watched, query, *values)
            seconds = time.perf_counter() - began
        sent = _seconds_after(began_at, outbox, "SELECT max(published_at) FROM outbox")
        stored = _seconds_after(began_at, watched, way.stored) if way.stored else None
        return seconds, sent, stored


def _seconds_after(began_at: datetime, connection: psycopg.Connection[Any], latest: str) -> float:
    row = connection.execute(latest).fetchone()
    assert row is not None
    seconds: float = (row[0] - began_at).total_seconds()
    return max(seconds, 0.001)


def _admin(suite: LocalSuite) -> Any:
    assert suite.broker is not None
    return connect(KafkaAdminClient, suite.broker.bootstrap, client_id="crm-bench")


def _wait_for_members(suite: LocalSuite, group: str, count: int) -> None:
    """Return when the group at the broker has `count` members and has shared out the partitions among them.

    On the embedded bus there is nothing to wait for: one reads for all. Raises LocalProblem.
    """
    if suite.bus != "kafka":
        return
    admin = _admin(suite)
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        known = admin.describe_groups([group])[group]
        if known["group_state"] == "Stable" and len(known["members"]) == count:
            admin.close()
            return
        if time.monotonic() > deadline:
            raise LocalProblem(
                f"After {_JOIN_SECONDS:.0f} s {group} has not settled: {known['group_state']}."
            )
        time.sleep(0.1)


def requests(say: Say) -> Iterator[Asked]:
    """Requests a second of sales, read and written, with more and more workers."""
    with running_suite("scale-requests", "identity,sales") as suite, resting(suite, "sales"):
        account = next(iter(SuiteClient(suite).items("sales", "/v1/accounts")))
        with as_service(suite, "sales") as sales:
            fill(sales)
        for workers in STEPS:
            settings = {"CRM_WEB_WORKERS": str(workers), "CRM_WEB_THREADS": str(WEB_THREADS)}
            with more_processes(suite, "sales", "web", **settings) as (server,):
                headers = {"Authorization": f"Bearer {suite.token()}", "Content-Type": "application/json"}
                loads = {
                    "list": Load(server.port, listing("/v1/opportunities", headers)),
                    "create": Load(
                        server.port,
                        new_deal_posts("/v1/opportunities", headers, account["owner_id"], account["id"]),
                    ),
                }
                for kind, load in loads.items():
                    asked = _best_rate(suite, kind, workers, server.pid, load)
                    say(f"requests: {kind}, {workers} workers: {asked.rate:.0f}/s")
                    yield asked


def _best_rate(suite: LocalSuite, kind: str, workers: int, pid: int, load: Load) -> Asked:
    postmaster = suite.postgres.pid
    assert postmaster is not None
    rounds = []
    for _ in range(ROUNDS):
        with Meter({"web": [pid]}, postmaster, {database_name("sales"): "PostgreSQL"}) as meter:
            answered = rate(load, SECONDS)
        usage = meter.usage
        # The clients' own start and end belong to the block, but not to the rate.
        stretch = usage.seconds / SECONDS
        shares = {k: Share(s.total * stretch, s.busiest * stretch) for k, s in usage.shares.items()}
        rounds.append(Asked(kind, workers, answered, shares, usage.elsewhere * stretch))
    return max(rounds, key=lambda asked: asked.rate)
