"""The records that key figures are summed over: one SELECT a family, all with the same columns.

Every source yields `record_id`, `day` (the date that the figure goes by; for a state, its bucket), `due` (the
date for quarters), `owner_id`, `account_id`, `pipeline_id`, `stage`, `product_id`, `unconverted` (no exchange
rate was known, so the amount is left out) and the family's sums. Amounts are in the base currency: rounded per
record, then added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Boolean, Date, Numeric, Subquery, Text, Uuid, text

from services.analytics.kpis.definitions import Family
from shared.kernel.money import minor_units

__all__ = ["CURRENT", "Period", "source"]

CURRENT = "infinity"
"""The bound of a bucket that is not over: the state as it is now."""


@dataclass(frozen=True, slots=True)
class Period:
    """What is asked for: records of days in [start, end), or for states the pairs of a bucket's first day and
    the instant that ends it. `zone` decides what day an instant is."""

    start: date | None
    end: date | None
    states: Sequence[tuple[date, str]]
    base_currency: str
    zone: str


_CLOSED = """
SELECT v.opportunity_id AS record_id, v.close_date AS day, v.close_date AS due, v.owner_id, v.account_id,
       v.pipeline_id, v.stage, {product} AS product_id,
       v.status = 'won' AND v.has_amount AND v.currency IS DISTINCT FROM :base AS unconverted,
       CASE WHEN v.status = 'won' AND v.currency = :base THEN coalesce({amount}, v.amount) ELSE 0 END
           AS won_amount,
       (v.status = 'won')::integer AS won_count, (v.status = 'lost')::integer AS lost_count
FROM opportunity_versions v {products}
WHERE v.valid_to = 'infinity' AND v.status IN ('won', 'lost')
  AND v.close_date >= CAST(:start AS date) AND v.close_date < CAST(:end AS date)
"""
_OPEN = """
SELECT v.opportunity_id AS record_id, b.day, v.close_date AS due, v.owner_id, v.account_id, v.pipeline_id,
       v.stage, {product} AS product_id, v.has_amount AND v.currency IS DISTINCT FROM :base AS unconverted,
       CASE WHEN v.currency = :base THEN coalesce({amount}, v.amount) ELSE 0 END AS amount,
       CASE WHEN v.currency = :base THEN coalesce({weighted}, v.weighted) ELSE 0 END AS weighted,
       1 AS deals
FROM unnest(CAST(:days AS date[]), CAST(:bounds AS timestamptz[])) AS b (day, bound)
JOIN opportunity_versions v ON {held}
{products}
WHERE v.status = 'open'
"""
# A bucket that is over shows what held just before its end; the newest state is found through an index.
_HELD = "v.valid_from < b.bound AND b.bound <= v.valid_to"
_HOLDS_NOW = "v.valid_to = 'infinity'"

_RATE = """
LEFT JOIN LATERAL (
    SELECT rate FROM exchange_rates r
    WHERE r.currency = {currency} AND r.base_currency = :base AND r.valid_from <= d.day
    ORDER BY r.valid_from DESC LIMIT 1
) AS r ON {currency} <> :base
"""
_CONVERTED = (
    "CASE WHEN {currency} = :base THEN {amount} ELSE coalesce(round({amount} * r.rate, :decimals), 0) END"
)
_UNCONVERTED = "{currency} <> :base AND r.rate IS NULL"

# A version counts on the day on which it began to hold, and is taken back on the day on which the next one did:
# so what changes between two versions is booked on the day of the change, for every owner and product.
_BOOKED = f"""
SELECT v.order_id AS record_id, d.day, d.day AS due, v.owner_id, v.account_id, NULL::uuid AS pipeline_id,
       NULL::text AS stage, {{product}} AS product_id,
       {_UNCONVERTED.format(currency="v.currency")} AS unconverted,
       e.sign * {_CONVERTED.format(currency="v.currency", amount="coalesce({amount}, v.booked)")} AS booked
FROM order_versions v
CROSS JOIN LATERAL (VALUES (v.valid_from, 1), (v.valid_to, -1)) AS e (at, sign)
CROSS JOIN LATERAL (SELECT (e.at AT TIME ZONE :zone)::date AS day WHERE isfinite(e.at)) AS d
{_RATE.format(currency="v.currency")}
{{products}}
WHERE v.booked <> 0 AND d.day >= CAST(:start AS date) AND d.day < CAST(:end AS date)
"""  # noqa: S608 - constants only
_ANSWERED = """
SELECT s.event_id AS record_id, d.day, d.day AS due, s.owner_id, s.account_id, NULL::uuid AS pipeline_id,
       NULL::text AS stage, {product} AS product_id, false AS unconverted,
       (s.step = 'rejected')::integer AS rejected, 1 AS answered
FROM order_steps s
CROSS JOIN LATERAL (SELECT (s.effective_at AT TIME ZONE :zone)::date AS day) AS d
{products}
WHERE s.step IN ('acknowledged', 'rejected') AND d.day >= CAST(:start AS date) AND d.day < CAST(:end AS date)
"""
_BILLED = f"""
SELECT s.event_id AS record_id, d.day, d.day AS due, s.owner_id, s.account_id, NULL::uuid AS pipeline_id,
       NULL::text AS stage, NULL::uuid AS product_id,
       {_UNCONVERTED.format(currency="s.currency")} AS unconverted,
       CASE WHEN s.step = 'invoiced' THEN c.amount ELSE 0 END AS invoiced,
       CASE WHEN s.step = 'paid' THEN c.amount ELSE 0 END AS paid
FROM order_steps s
CROSS JOIN LATERAL (SELECT (s.effective_at AT TIME ZONE :zone)::date AS day) AS d
{_RATE.format(currency="s.currency")}
CROSS JOIN LATERAL (SELECT {_CONVERTED.format(currency="s.currency", amount="s.amount")} AS amount) AS c
WHERE s.step IN ('invoiced', 'paid') AND d.day >= CAST(:start AS date) AND d.day < CAST(:end AS date)
"""  # noqa: S608 - constants only
_SOURCES = {"closed": _CLOSED, "open": _OPEN, "booked": _BOOKED, "answered": _ANSWERED, "billed": _BILLED}

_WITHOUT_PRODUCTS = {"products": "", "product": "NULL::uuid", "amount": "NULL", "weighted": "NULL"}
_PRODUCTS = {
    "closed": "unnest(v.product_ids, v.product_amounts) AS p (product_id, amount)",
    "open": "unnest(v.product_ids, v.product_amounts, v.product_weighted)"
    " AS p (product_id, amount, weighted)",
    "booked": "unnest(v.product_ids, v.product_booked) AS p (product_id, amount)",
    "answered": "unnest(s.product_ids) AS p (product_id)",
}
_COLUMNS: dict[str, Any] = {
    "record_id": Uuid,
    "day": Date,
    "due": Date,
    "owner_id": Uuid,
    "account_id": Uuid,
    "pipeline_id": Uuid,
    "stage": Text,
    "product_id": Uuid,
    "unconverted": Boolean,
}


def source(family: Family, period: Period, *, by_product: bool) -> Subquery:
    """The records of `family` in `period`; with `by_product` a row for each product of a record."""
    parts = dict(_WITHOUT_PRODUCTS)
    if by_product:
        parts = {
            "products": f"LEFT JOIN LATERAL {_PRODUCTS[family.name]} ON true",
            "product": "p.product_id",
            "amount": "p.amount",
            "weighted": "p.weighted",
        }
    bounds = [bound for _, bound in period.states]
    parts["held"] = _HOLDS_NOW if bounds == [CURRENT] else _HELD
    statement = text(_SOURCES[family.name].format(**parts))
    arguments = {
        "base": period.base_currency,
        "decimals": minor_units(period.base_currency),
        "zone": period.zone,
        "start": period.start.isoformat() if period.start else "-infinity",
        "end": period.end.isoformat() if period.end else "infinity",
        "days": [day for day, _ in period.states],
        "bounds": bounds,
    }
    used = statement.compile().params
    statement = statement.bindparams(**{name: value for name, value in arguments.items() if name in used})
    columns = {**_COLUMNS, **dict.fromkeys(family.sums, Numeric)}
    return statement.columns(**columns).subquery("f")
