"""Compute key figures, and show in which state deals, orders, contracts and work orders are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import ColumnElement, Date, FromClause, Subquery, Table, Text, cast, func, select
from sqlalchemy.orm import Session

from services.analytics.database.star_schema import (
    CONTRACTS,
    CUSTOMERS,
    ORDER_STEPS,
    ORDER_VERSIONS,
    PEOPLE,
    PRODUCTS,
    STAGES,
    TEAMS,
    WORK_ORDERS,
)
from services.analytics.kpis.buckets import Bucket, buckets
from services.analytics.kpis.definitions import CLOSED, KPIS, OPEN, Family, Kpi
from services.analytics.kpis.errors import UnknownKpi
from services.analytics.kpis.repository import CURRENT, Period, source
from shared.access import Principal, reach_filter
from shared.company import Company, company
from shared.kernel.errors import Invalid
from shared.kernel.money import round_minor

__all__ = ["kpi_of", "order_summary", "pipeline_summary", "values"]

_WHOLE = Bucket(date.min, date.min, date.max, "all")


@dataclass(frozen=True, slots=True)
class _Cell:
    """The sums of one key in one bucket."""

    key: str | None
    label: str | None
    bucket: date
    records: int
    unconverted: int
    parts: Mapping[str, Decimal]


def kpi_of(name: str) -> Kpi:
    """The key figure of that name. Raises UnknownKpi."""
    found = KPIS.get(name)
    if found is None:
        raise UnknownKpi(f"The key figures are {', '.join(KPIS)}.")
    return found


def values(
    session: Session, principal: Principal, kpi: Kpi, arguments: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The figure as series, a point a bucket. `arguments`: from_, to, grain, by.

    Raises Invalid for a period or a dimension that the figure does not have.
    """
    settings = company(session)
    asked, by = _buckets(arguments), arguments.get("by")
    if by is not None and by not in kpi.family.dimensions:
        raise Invalid.field("/by", f"{kpi.name} is cut by {', '.join(kpi.family.dimensions)}.")
    period = _period(kpi.family, arguments, asked, settings, now)
    cells = _measure(session, principal, kpi.family, period, by=by, grain=arguments.get("grain"))
    future = {bucket.key for bucket in asked} - {day for day, _ in period.states}
    unknown = future if kpi.family.additivity == "last" else set()
    zeros = dict.fromkeys(kpi.family.sums, Decimal(0))
    by_key: dict[str | None, dict[date, _Cell]] = defaultdict(dict)
    for cell in cells:
        by_key[cell.key][cell.bucket] = cell
    if by is None:
        by_key.setdefault(None, {})
    series = []
    for key, found in by_key.items():
        points = [
            [
                bucket.label,
                None
                if bucket.key in unknown
                else _shown(kpi, found[bucket.key].parts if bucket.key in found else zeros, settings),
            ]
            for bucket in asked
        ]
        label = next((cell.label for cell in found.values()), None)
        series.append({"key": key, "label": label, "points": points})
    series.sort(key=lambda line: (line["key"] is None, line["label"] or line["key"] or "", line["key"] or ""))
    return {
        "series": series,
        "currency": settings.base_currency if kpi.unit == "money" else None,
        "zone": settings.zone.key,
        "scope": principal.reach("kpi.read"),
        "coverage": {
            "records": sum(cell.records for cell in cells),
            "unconverted": sum(cell.unconverted for cell in cells),
        },
    }


def _buckets(arguments: Mapping[str, Any]) -> list[Bucket]:
    start, end, grain = arguments.get("from_"), arguments.get("to"), arguments.get("grain")
    if start is not None and end is not None and start >= end:
        raise Invalid.field("/to", "The end must be after the beginning; it is not part of the period.")
    if grain is None:
        return [_WHOLE]
    if start is None or end is None:
        raise Invalid.field("/grain", "Say from when to when.")
    return buckets(start, end, grain)


def _period(
    family: Family, arguments: Mapping[str, Any], asked: Sequence[Bucket], settings: Company, now: datetime
) -> Period:
    start, end = arguments.get("from_"), arguments.get("to")
    states: list[tuple[date, str]] = []
    if family.additivity == "last":
        for bucket in asked:
            last = end if bucket is _WHOLE else bucket.end
            bound = None if last is None else datetime(last.year, last.month, last.day, tzinfo=settings.zone)
            if bound is not None and bound <= now:
                states.append((bucket.key, bound.isoformat()))
            elif bucket is _WHOLE or bucket.start <= settings.today(now):
                states.append((bucket.key, CURRENT))
    return Period(start, end, states, settings.base_currency, settings.zone.key)


def _measure(
    session: Session,
    principal: Principal,
    family: Family,
    period: Period,
    *,
    by: str | None = None,
    grain: str | None = None,
) -> list[_Cell]:
    """The sums of `family` by bucket and key, over what the caller may see."""
    records = source(family, period, by_product=by == "product")
    bucket: ColumnElement[Any] = records.c.day
    if family.additivity == "full":
        whole = cast(_WHOLE.key.isoformat(), Date)
        bucket = whole if grain is None else cast(func.date_trunc(grain, records.c.day), Date)
    joined, key, label = _cut(records, by)
    sums = [func.sum(records.c[name]).label(name) for name in family.sums]
    query = (
        select(
            bucket.label("bucket"),
            key.label("key"),
            func.max(label).label("label"),
            func.count(records.c.record_id.distinct()).label("records"),
            func.count(records.c.record_id.distinct()).filter(records.c.unconverted).label("unconverted"),
            *sums,
        )
        .select_from(joined)
        .where(reach_filter(principal, "kpi.read", owner=records.c.owner_id))
        .group_by("bucket", "key")
    )
    return [
        _Cell(
            row["key"],
            row["label"],
            row["bucket"],
            row["records"],
            row["unconverted"],
            {name: Decimal(row[name]) for name in family.sums},
        )
        for row in session.execute(query).mappings()
    ]


def _cut(records: Subquery, by: str | None) -> tuple[FromClause, ColumnElement[Any], ColumnElement[Any]]:
    """What to group by: the records with the tables that name the dimension's values; the key; its label."""
    nothing = cast(None, Text)
    f, people = records.c, PEOPLE.c
    match by:
        case "agent":
            joined = records.outerjoin(PEOPLE, people.user_id == f.owner_id)
            return joined, cast(f.owner_id, Text), people.display_name
        case "manager":
            manager = PEOPLE.alias("manager")
            joined = records.outerjoin(PEOPLE, people.user_id == f.owner_id).outerjoin(
                manager, manager.c.user_id == people.manager_id
            )
            return joined, cast(people.manager_id, Text), manager.c.display_name
        case "region":
            team = people.team_ids[1]
            joined = records.outerjoin(PEOPLE, people.user_id == f.owner_id).outerjoin(
                TEAMS, TEAMS.c.team_id == team
            )
            return joined, cast(team, Text), TEAMS.c.name
        case "product":
            joined = records.outerjoin(PRODUCTS, PRODUCTS.c.product_id == f.product_id)
            return joined, cast(f.product_id, Text), PRODUCTS.c.name
        case "sector":
            joined = records.outerjoin(CUSTOMERS, CUSTOMERS.c.customer_id == f.account_id)
            return joined, CUSTOMERS.c.sector, CUSTOMERS.c.sector
        case "stage":
            stages = (STAGES.c.pipeline_id == f.pipeline_id) & (STAGES.c.stage == f.stage)
            return records.outerjoin(STAGES, stages), f.stage, func.coalesce(STAGES.c.name, f.stage)
        case "quarter":
            return records, func.to_char(f.due, 'YYYY-"Q"Q'), nothing
        case _:
            return records, nothing, nothing


def _shown(kpi: Kpi, parts: Mapping[str, Decimal], settings: Company) -> str | None:
    """The figure as text, rounded half up for showing: money to the minor unit, percent to two decimals."""
    value = kpi.value(parts)
    if value is None:
        return None
    match kpi.unit:
        case "money":
            return str(round_minor(value, settings.base_currency))
        case "percent":
            return str((value * 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
        case _:
            return str(int(value))


def pipeline_summary(session: Session, principal: Principal) -> dict[str, Any]:
    """Open deals by stage in the order of the pipeline, and what was won and lost, over all times: the same
    sums that the key figures are made of."""
    settings = company(session)

    def measure(family: Family, by: str | None = None) -> list[_Cell]:
        now = [(_WHOLE.key, CURRENT)] if family is OPEN else []
        return _measure(session, principal, family, _whole(settings, now), by=by)

    def shown(name: str, cell: _Cell | None) -> str | None:
        kpi = KPIS[name]
        return _shown(kpi, cell.parts if cell else dict.fromkeys(kpi.family.sums, Decimal(0)), settings)

    everything = next(iter(measure(OPEN)), None)
    closed = next(iter(measure(CLOSED)), None)
    places = select(STAGES.c.stage, func.min(STAGES.c.position).label("position")).group_by(STAGES.c.stage)
    positions = {row.stage: row.position for row in session.execute(places)}
    stages = sorted(measure(OPEN, "stage"), key=lambda cell: (positions.get(cell.key, 10_000), cell.key))
    return {
        "currency": settings.base_currency,
        "scope": principal.reach("kpi.read"),
        "stages": [
            {
                "stage": cell.key,
                "name": cell.label,
                "count": int(cell.parts["deals"]),
                "amount": shown("open_pipeline", cell),
                "weighted": shown("weighted_pipeline", cell),
            }
            for cell in stages
        ],
        "open_count": int(everything.parts["deals"]) if everything else 0,
        "won_count": int(closed.parts["won_count"]) if closed else 0,
        "lost_count": int(closed.parts["lost_count"]) if closed else 0,
        **{name: shown(name, everything) for name in ("open_pipeline", "weighted_pipeline")},
        **{name: shown(name, closed) for name in ("won_amount", "win_rate", "average_deal")},
        "coverage": {
            "records": sum(cell.records for cell in (everything, closed) if cell),
            "unconverted": sum(cell.unconverted for cell in (everything, closed) if cell),
        },
    }


def _whole(settings: Company, states: Sequence[tuple[date, str]]) -> Period:
    return Period(None, None, states, settings.base_currency, settings.zone.key)


def order_summary(session: Session, principal: Principal) -> dict[str, Any]:
    """How many orders, contracts and work orders are in which state, and how often each step was taken.

    Work orders belong to no seller: who sees the account sees them.
    """

    def count(table: Table, *names: str, where: Iterable[ColumnElement[bool]] = ()) -> list[dict[str, Any]]:
        columns = [table.c[name] for name in names]
        owner = table.c.owner_id if "owner_id" in table.c else CUSTOMERS.c.owner_id
        query = (
            select(*columns, func.count().label("count"))
            .select_from(table.outerjoin(CUSTOMERS, CUSTOMERS.c.customer_id == table.c.account_id))
            .where(reach_filter(principal, "kpi.read", owner=owner), *where)
            .group_by(*columns)
            .order_by(*columns)
        )
        return [dict(row) for row in session.execute(query).mappings()]

    newest = ORDER_VERSIONS.c.valid_to == cast(CURRENT, ORDER_VERSIONS.c.valid_to.type)
    return {
        "scope": principal.reach("kpi.read"),
        "orders": count(ORDER_VERSIONS, "state", "fulfilment", "billing", where=[newest]),
        "steps": count(ORDER_STEPS, "step"),
        "contracts": count(CONTRACTS, "state"),
        "work_orders": count(WORK_ORDERS, "kind", "state"),
    }
