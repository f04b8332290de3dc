"""A company's real history, imported: every figure equals a direct computation from its files."""

from __future__ import annotations

import csv
import os
import warnings
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.kernel.ids import new_id
from tests.analytics.world import Analytics, Deal, Told, account, example, line, person, product, team

FOLDER = Path(
    os.environ.get("CRM_SALES_HISTORY")
    or Path(__file__).resolve().parents[2].parent / "shared/data/crm-sales-opportunities"
)
IMPORTED = datetime(2018, 1, 1, tzinfo=UTC)
STAGES = ("prospecting", "engaging")

_SKIPPED = f"SALES HISTORY TESTS SKIPPED: there is no folder {FOLDER}. CRM_SALES_HISTORY may name another."

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=_SKIPPED)
if not FOLDER.exists():
    # A warning is shown at the end of the run; the reason of a skipped test is not.
    warnings.warn(_SKIPPED, stacklevel=1)


def _read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


class _Ids(defaultdict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = str(new_id())
        return self[name]


def _told(rows: list[dict[str, str]]) -> list[list[Told]]:
    """The facts that an import records, the dimensions first, then a list for each row of the pipeline file."""
    ids, pipeline_id = _Ids(), str(new_id())
    stages = [
        {
            **example("sales/pipeline.changed.v1/typical")["stages"][0],
            "key": key,
            "name": key.title(),
            "position": n,
        }
        for n, key in enumerate(STAGES, 1)
    ]
    pipeline = example("sales/pipeline.changed.v1/typical", pipeline_id=pipeline_id, stages=stages)
    told = [Told("crm.sales.pipeline.changed.v1", pipeline, pipeline_id)]
    for row in _read("sales_teams.csv"):
        agent, manager, office = row["sales_agent"], row["manager"], row["regional_office"]
        told += [
            *([team(ids[office], office)] if office not in ids else []),
            *([person(ids[manager], manager)] if manager not in ids else []),
            person(ids[agent], agent, manager_id=ids[manager], team_ids=[ids[office]]),
        ]
    told += [product(ids[row["product"]], row["product"]) for row in _read("products.csv")]
    told += [
        account(ids[row["account"]], row["account"], sector=row["sector"]) for row in _read("accounts.csv")
    ]
    return [told, *(_deal(row, ids, pipeline_id) for row in rows)]


def _deal(row: dict[str, str], ids: _Ids, pipeline_id: str) -> list[Told]:
    stage = row["deal_stage"].lower()
    product_name = {"GTXPro": "GTX Pro"}.get(row["product"], row["product"])
    engaged = _day(row["engage_date"]) if row["engage_date"] else IMPORTED
    closed = _day(row["close_date"]) if row["close_date"] else IMPORTED
    deal = Deal(
        owner_id=ids[row["sales_agent"]],
        account_id=ids[row["account"]] if row["account"] else None,
        amount=f"{row['close_value'] or 0}.00",
        close_date=closed.date().isoformat(),
        lines=[line(ids[product_name], "1.00")],
        origin="import",
    )
    begins = stage if stage in STAGES else "engaging"
    told = [deal.tell("created", engaged, stage="prospecting", pipeline_id=pipeline_id)]
    if begins == "engaging":
        told.append(deal.tell("stage_changed", engaged, stage="engaging", pipeline_id=pipeline_id))
    if stage in ("won", "lost"):
        told.append(deal.tell(stage, closed, stage=stage, pipeline_id=pipeline_id))
    return told


def _day(text: str) -> datetime:
    month, day, year = map(int, text.split("/"))
    return datetime(year, month, day, tzinfo=UTC)


def _expected(rows: list[dict[str, str]], key: Callable[[dict[str, str]], str]) -> dict[str, dict[str, str]]:
    """Won amount, number of deals won, and win rate by key, from the file itself."""
    won: dict[str, int] = defaultdict(int)
    amount: dict[str, int] = defaultdict(int)
    closed: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["deal_stage"] in ("Won", "Lost"):
            closed[key(row)] += 1
            won[key(row)] += row["deal_stage"] == "Won"
            amount[key(row)] += int(row["close_value"] or 0)
    rates = {
        name: str((Decimal(100 * won[name]) / n).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
        for name, n in closed.items()
    }
    return {
        "won_amount": {name: f"{amount[name]}.00" for name in closed},
        "won_count": {name: str(won[name]) for name in closed},
        "win_rate": rates,
    }


def test_imported_history_is_counted_right(analytics: Analytics) -> None:
    rows = _read("sales_pipeline.csv")
    # Looking at each fact's contract would take longer than the rest: every fortieth row has to do.
    told = [fact.record(check=number % 40 == 0) for number, facts in enumerate(_told(rows)) for fact in facts]
    for start in range(0, len(told), 1_000):
        analytics.arrive(told[start : start + 1_000])
    analytics.catch_up()
    summary = analytics.get("/v1/pipeline-summary")
    stages = {stage["stage"]: stage["count"] for stage in summary["stages"]}
    assert stages == {"engaging": 1589, "prospecting": 500}
    assert (summary["won_count"], summary["lost_count"]) == (4238, 2473)
    assert summary["won_amount"] == "10005534.00"
    assert summary["win_rate"] == "63.15"
    assert [stage["name"] for stage in summary["stages"]] == ["Prospecting", "Engaging"]
    offices = {row["sales_agent"]: row for row in _read("sales_teams.csv")}
    cuts: dict[str, Callable[[dict[str, str]], str]] = {
        "agent": lambda row: row["sales_agent"],
        "manager": lambda row: offices[row["sales_agent"]]["manager"],
        "region": lambda row: offices[row["sales_agent"]]["regional_office"],
        "product": lambda row: row["product"].replace("GTXPro", "GTX Pro"),
        "quarter": lambda row: f"{row['close_date'][-4:]}-Q{(int(row['close_date'].split('/')[0]) + 2) // 3}",
    }
    for by, key in cuts.items():
        for kpi, expected in _expected(rows, key).items():
            assert analytics.points(kpi, by=by) == expected, (kpi, by)
    grain: dict[str, Any] = {"from": "2017-01-01", "to": "2018-01-01", "grain": "quarter"}
    by_date = _expected(rows, cuts["quarter"])["won_amount"]
    assert analytics.points("won_amount", **grain)[None] == by_date
    assert analytics.rows("SELECT count(*) FROM order_steps") == [(0,)]
    assert analytics.service.facts() == []
