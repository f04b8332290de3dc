"""A company's 8,800 real opportunities, imported through the HTTP APIs and counted by analytics.

The expected figures are reckoned here from the CSV itself. The folder is named by CRM_IMPORT_DATA, by default
`../shared/data/crm-sales-opportunities` beside the checkout.
"""

from __future__ import annotations

import csv
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from deploy.local.client import SuiteClient
from deploy.local.import_data import MAPPINGS, Import
from deploy.local.imports.mapping import fold
from deploy.local.suite import LocalSuite

FOLDER = Path(
    os.environ.get("CRM_IMPORT_DATA", Path(__file__).parents[3] / "shared/data/crm-sales-opportunities")
)
YEARS = {"from": "2016-01-01", "to": "2018-01-01", "grain": "year"}

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"THE COMPANY'S HISTORY IS NOT TESTED: there is no folder {FOLDER}"
)


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def run_import(suite: LocalSuite) -> Import:
    mapping = yaml.safe_load((MAPPINGS / "crm-sales-opportunities.yaml").read_text())
    work = Import(suite, FOLDER, mapping, console=Console(file=StringIO()))
    work.run()
    return work


@pytest.fixture(scope="module")
def client(make_suite: Callable[..., LocalSuite]) -> SuiteClient:
    """A suite that has imported everything, twice."""
    suite = make_suite(only="identity,sales,analytics,erp,support,fieldservice")
    suite.start()
    suite.wait_ready()
    first, second = run_import(suite), run_import(suite)
    client = SuiteClient(suite)
    client.first, client.second = first.verdicts, second.verdicts  # type: ignore[attr-defined]
    wait_until_told(client)
    return client


def wait_until_told(client: SuiteClient) -> None:
    deadline = time.monotonic() + 60
    while client.get("analytics", "/v1/pipeline-summary")["won_count"] < 4238:
        assert time.monotonic() < deadline, "analytics has not heard of every deal"
        time.sleep(0.2)


def seeded(client: SuiteClient) -> Counter[str]:
    """What the sample company brings, by status: the suite is not empty."""
    deals = client.items("sales", "/v1/opportunities")
    return Counter(deal["status"] for deal in deals if not deal["external_id"].startswith("deal:"))


def test_every_row_has_a_verdict_and_a_second_time_changes_nothing(client: Any) -> None:
    assert client.first["opportunities"] == {"created": 7375, "warned": 1425}
    assert client.first["accounts"] == {"created": 85}
    assert client.first["products"] == {"created": 7}
    assert client.first["people"] == {"created": 41}
    assert client.second["opportunities"] == {"unchanged": 8800}
    assert client.second["accounts"] == {"unchanged": 85}
    assert client.second["products"] == {"unchanged": 7}
    assert client.second["people"] == {"unchanged": 41}


def test_the_totals_are_those_of_the_file(client: SuiteClient) -> None:
    summary = client.get("analytics", "/v1/pipeline-summary")
    stages = {stage["stage"]: stage["count"] for stage in summary["stages"]}
    assert (summary["won_count"], Decimal(summary["won_amount"])) == (4238, 10_005_534)
    assert summary["lost_count"] - seeded(client)["lost"] == 2473
    assert (stages["engaging"], stages["prospecting"]) == (1589, 500)


def test_the_win_rate_of_closed_deals_is_that_of_the_file(client: SuiteClient) -> None:
    answer = client.get("analytics", "/v1/kpis/win_rate/values", **YEARS)
    (series,) = answer["series"]
    assert dict(series["points"])["2017"] == "63.15"


@pytest.mark.parametrize("cut", ["agent", "manager", "region", "product", "quarter"])
def test_revenue_by_each_cut_equals_a_direct_computation(client: SuiteClient, cut: str) -> None:
    answer = client.get("analytics", "/v1/kpis/won_amount/values", by=cut, **YEARS)
    told: dict[str, Decimal] = defaultdict(Decimal)
    for series in answer["series"]:
        name = fold(series["label"] or series["key"])
        told[name] += sum((Decimal(amount) for _, amount in series["points"]), Decimal(0))
    assert {name: amount for name, amount in told.items() if amount} == expected(cut)


def expected(cut: str) -> dict[str, Decimal]:
    """Won value by `cut`, straight from the CSV."""
    teams = {row["sales_agent"]: row for row in rows("sales_teams.csv")}
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows("sales_pipeline.csv"):
        if row["deal_stage"] == "Won":
            month, _, year = row["close_date"].split("/")
            names = {
                "agent": row["sales_agent"],
                "manager": teams[row["sales_agent"]]["manager"],
                "region": teams[row["sales_agent"]]["regional_office"],
                "product": row["product"],
                "quarter": f"{year}-Q{(int(month) + 2) // 3}",
            }
            amounts[fold(names[cut])] += Decimal(row["close_value"])
    return dict(amounts)


def test_nothing_that_acts_follows_from_history(client: SuiteClient) -> None:
    assert client.get("sales", "/v1/orders")["items"] == []
    assert client.get("support", "/v1/contracts")["items"] == []
    assert client.get("fieldservice", "/v1/work-orders")["items"] == []
    assert client.get("erp", "/v1/links")["items"] == []
