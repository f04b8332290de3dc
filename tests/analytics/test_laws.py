"""The laws of projections: a projection is a function of the set of archived facts."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.facts import PROJECTIONS
from services.analytics.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.service import Runtime
from shared.testing.services import RunningService
from shared.testing.tokens import ISSUER, jwks_file
from tests.analytics.world import (
    NOW,
    Analytics,
    Deal,
    Told,
    account,
    days,
    example,
    line,
    order,
    person,
    product,
    team,
)

TABLES = sorted(name for projection in PROJECTIONS.values() for name in projection.tables)


def _id(number: int) -> str:
    return str(uuid.UUID(int=0x018F << 112 | 7 << 76 | 2 << 62 | number))


def _story() -> list[Told]:
    """A small company's facts from all services: several versions of everything, in order per aggregate."""
    people = [person(_id(10 + n), f"Agent {n}", manager_id=_id(10)) for n in range(3)]
    products = [product(_id(20 + n), f"Product {n}") for n in range(2)]
    told = [
        team(_id(9), "North"),
        *people,
        *products,
        account(_id(30), "Acme", owner_id=_id(11), sector="medical"),
    ]
    for n in range(6):
        deal = Deal(
            id=_id(40 + n),
            owner_id=_id(10 + n % 3),
            account_id=_id(30) if n else None,
            amount=f"{100 + n}.0{n}",
            lines=[line(_id(20 + m), f"{m + 1}.00") for m in range(n % 3)],
        )
        told.append(deal.tell("created", days(-30)))
        # The business time of a later version may lie before that of an earlier one.
        told.append(deal.tell("changed", days(-30 + 7 * (n - 3)), owner_id=_id(10)))
        told += [deal.tell("won", days(n)) if n % 2 else deal.tell("lost", days(n))]
        if n == 5:
            told.append(deal.tell("reopened", days(9)))
    for n in range(2):
        steps = ("submitted", "acknowledged", "invoiced", "cancelled")
        told += [order(_id(60 + n), past, v, days(v), account_id=_id(30)) for v, past in enumerate(steps, 1)]
    lead = example("marketing/lead.captured.v1/typical", lead_id=_id(70))
    converted = example("marketing/lead.converted.v1/typical", lead_id=_id(70), account_id=_id(30))
    erp = example("erp/order.accepted.v1/typical", order_id=_id(60))
    contract = {"contract_id": _id(80), "account_id": _id(30)}
    work = {"work_order_id": _id(90), "account_id": _id(30)}
    pipeline = example("sales/pipeline.changed.v1/typical")
    told += [
        Told("crm.marketing.lead.captured.v1", lead, _id(70), 1),
        Told("crm.marketing.lead.converted.v1", converted, _id(70), 2, days(1)),
        Told("crm.erp.order.accepted.v1", erp, _id(60), 1),
        Told("crm.sales.pipeline.changed.v1", pipeline, pipeline["pipeline_id"], 1),
    ]
    for version, past in enumerate(("drafted", "activated"), 1):
        data = example(f"support/contract.{past}.v1/typical", **contract)
        told.append(Told(f"crm.support.contract.{past}.v1", data, _id(80), version, days(version)))
    for version, past in enumerate(("created", "scheduled", "completed"), 1):
        data = example(f"fieldservice/work_order.{past}.v1/typical", **work)
        told.append(Told(f"crm.fieldservice.work_order.{past}.v1", data, _id(90), version, days(version)))
    return told


STORY = _story()


def _of_one_aggregate(told: Told) -> tuple[str, str]:
    return told.type.rsplit(".", 2)[0], told.subject


def _shuffled(seed: int) -> list[Told]:
    """The story in another order of arrival: aggregates are mixed, each keeps its own order."""
    chance = random.Random(seed)
    waiting: dict[tuple[str, str], list[Told]] = {}
    for told in STORY:
        waiting.setdefault(_of_one_aggregate(told), []).append(told)
    found = []
    while waiting:
        key = chance.choice(list(waiting))
        found.append(waiting[key].pop(0))
        if not waiting[key]:
            del waiting[key]
    return found


@pytest.fixture(scope="module")
def shared_analytics(
    module_database_for: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Analytics]:
    """One service for all the tries of a property; each try empties it."""
    url = module_database_for("analytics")
    folder: Path = tmp_path_factory.mktemp("laws")
    chosen = SERVICE.settings(
        service="analytics",
        database_url=url,
        bus="postgres",
        bus_database_url=url,
        identity_url=ISSUER,
        jwks_file=jwks_file(folder),
        secret="a secret for tests only",
    )
    runtime = Runtime.start(SERVICE, chosen, role="test", clock=FixedClock(NOW))
    yield Analytics(RunningService(runtime))
    runtime.database.close()


def _empty(analytics: Analytics) -> None:
    analytics.execute(f"TRUNCATE archive, projection_runs CASCADE; TRUNCATE {', '.join(TABLES)}")


@pytest.fixture(scope="module")
def expected(shared_analytics: Analytics) -> dict[str, object]:
    """The digest of the story as it was told, in one batch."""
    _empty(shared_analytics)
    shared_analytics.archive(*STORY)
    shared_analytics.fold(batch=2_000)
    found = shared_analytics.digest()
    assert all(table["rows"] for table in found.values()), found
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    batch=st.integers(3, 60),
    cuts=st.lists(st.integers(0, len(STORY)), max_size=6),
    repeated=st.lists(st.integers(0, len(STORY) - 1), max_size=8),
)
def test_the_tables_do_not_depend_on_order_batches_or_repeats(
    shared_analytics: Analytics,
    expected: dict[str, object],
    seed: int,
    batch: int,
    cuts: list[int],
    repeated: list[int],
) -> None:
    _empty(shared_analytics)
    arrived = _shuffled(seed)
    for start, end in pairwise(sorted({0, *cuts, len(arrived)})):
        # Deliveries are repeated within a batch and across batches.
        shared_analytics.archive(*arrived[start:end], *(arrived[n] for n in repeated if n < end))
        shared_analytics.fold(batch)
    assert shared_analytics.digest() == expected
    assert shared_analytics.rows("SELECT count(*) FROM archive") == [(len(STORY),)]


def test_order_within_an_aggregate_does_not_matter_either(
    shared_analytics: Analytics, expected: dict[str, object]
) -> None:
    """After a hole is filled the tables are what they would have been."""
    _empty(shared_analytics)
    for told in reversed(STORY):
        shared_analytics.archive(told)
    shared_analytics.fold(batch=7)
    assert shared_analytics.digest() == expected


def test_a_rebuild_gives_the_same_figures(shared_analytics: Analytics, expected: dict[str, object]) -> None:
    _empty(shared_analytics)
    shared_analytics.archive(*_shuffled(5))
    shared_analytics.fold(batch=11)
    kpis = [kpi["name"] for kpi in shared_analytics.get("/v1/kpis")["items"]]
    before = {kpi: shared_analytics.points(kpi) for kpi in kpis}
    for name in PROJECTIONS:
        shared_analytics.post(f"/v1/projections/{name}/rebuild", 202)
    # The story goes on while the rebuild is at work.
    late = Deal(id=_id(99), close_date="2030-01-01").tell("created", NOW + timedelta(days=1))
    shared_analytics.archive(late)
    shared_analytics.fold(batch=13)
    runs = shared_analytics.get("/v1/projections")["items"]
    assert [(run["name"], run["state"]) for run in runs] == [(name, "live") for name in sorted(PROJECTIONS)]
    assert all(run["finished_at"] for run in runs)
    after = {kpi: shared_analytics.points(kpi) for kpi in kpis}
    changed = {kpi for kpi in kpis if before[kpi] != after[kpi]}
    assert changed == {"open_pipeline", "weighted_pipeline", "open_count"}
    assert shared_analytics.digest()["opportunity_versions"]["rows"] == (
        expected["opportunity_versions"]["rows"] + 1  # type: ignore[index]
    )


def test_two_facts_that_claim_one_version_are_settled_by_their_ids(shared_analytics: Analytics) -> None:
    """As after a producer's database was restored from a backup."""
    deal = Deal(id=_id(98), amount="1.00")
    first = deal.tell("created")
    deal.version, deal.amount = 0, "2.00"
    second = deal.tell("created")
    for arrived in ((first, second), (second, first)):
        for batch in (1, 2):
            _empty(shared_analytics)
            shared_analytics.archive(*arrived)
            shared_analytics.fold(batch)
            assert shared_analytics.points("open_pipeline") == {None: "2.00"}
