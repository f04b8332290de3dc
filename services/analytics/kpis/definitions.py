"""The key figures: what each means, and how it follows from sums over records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["DIMENSIONS", "KPIS", "Family", "Kpi", "Parts"]

Parts = Mapping[str, Decimal]
"""Sums over the records of one bucket, by name."""

DIMENSIONS: dict[str, str] = {
    "agent": "Who owns the record.",
    "manager": "The owner's manager, as the organisation chart is now.",
    "region": "The owner's first team, as teams are now.",
    "product": "Each product of the record's lines; amounts are shared out by the lines' net, a record counts"
    " once for each of its products.",
    "quarter": "The calendar quarter of the date that the figure goes by; of open deals, their close date.",
    "stage": "The stage of the deal.",
    "sector": "The account's sector.",
}
"""What a figure may be cut by, and what that means."""


@dataclass(frozen=True, slots=True)
class Family:
    """Records that figures are summed over. `sums`: the names of the sums; `dimensions`: what they may be cut
    by; `additivity`: `full` (buckets add up) or `last` (a bucket shows the state at its end); `projection`: whose
    tables are read."""

    name: str
    projection: str
    sums: tuple[str, ...]
    dimensions: tuple[str, ...]
    additivity: str = "full"


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure. `unit`: money (base currency), count or percent; `value`: from the sums of a bucket, None
    where it has no meaning, such as a rate of nothing; `direction`: whether more is better."""

    name: str
    label: str
    unit: str
    family: Family
    definition: str
    formula: str
    value: Callable[[Parts], Decimal | None]
    direction: str = "up"


_ALL = tuple(DIMENSIONS)
_WITHOUT_STAGE = tuple(name for name in DIMENSIONS if name != "stage")
_WHOLE_ORDERS = tuple(name for name in _WITHOUT_STAGE if name != "product")

OPEN = Family("open", "opportunities", ("amount", "weighted", "deals"), _ALL, additivity="last")
CLOSED = Family("closed", "opportunities", ("won_amount", "won_count", "lost_count"), _ALL)
BOOKED = Family("booked", "orders", ("booked",), _WITHOUT_STAGE)
ANSWERED = Family("answered", "orders", ("rejected", "answered"), _WITHOUT_STAGE)
BILLED = Family("billed", "orders", ("invoiced", "paid"), _WHOLE_ORDERS)


def _sum(name: str) -> Callable[[Parts], Decimal | None]:
    return lambda parts: parts[name]


def _ratio(above: str, *below: str) -> Callable[[Parts], Decimal | None]:
    def value(parts: Parts) -> Decimal | None:
        divisor = sum((parts[name] for name in below), Decimal(0))
        return parts[above] / divisor if divisor else None

    return value


_DEFINED = (
    Kpi(
        "open_pipeline",
        "Open pipeline",
        "money",
        OPEN,
        "The amounts of all deals that are open at the end of the bucket, in the base currency.",
        "sum of amount over open deals",
        _sum("amount"),
    ),
    Kpi(
        "weighted_pipeline",
        "Weighted pipeline",
        "money",
        OPEN,
        "The amounts of all deals that are open at the end of the bucket, each times its probability and"
        " rounded to the minor unit, then added.",
        "sum of round(amount x probability) over open deals",
        _sum("weighted"),
    ),
    Kpi(
        "open_count",
        "Open deals",
        "count",
        OPEN,
        "How many deals are open at the end of the bucket; by stage: how many are in each stage.",
        "number of open deals",
        _sum("deals"),
    ),
    Kpi(
        "won_amount",
        "Won",
        "money",
        CLOSED,
        "The amounts of all deals won, by the date on which they were closed. A deal that is opened again"
        " leaves its date again.",
        "sum of amount over won deals",
        _sum("won_amount"),
    ),
    Kpi(
        "won_count",
        "Deals won",
        "count",
        CLOSED,
        "How many deals were won, by the date on which they were closed.",
        "number of won deals",
        _sum("won_count"),
    ),
    Kpi(
        "lost_count",
        "Deals lost",
        "count",
        CLOSED,
        "How many deals were lost, by the date on which they were closed.",
        "number of lost deals",
        _sum("lost_count"),
        "down",
    ),
    Kpi(
        "win_rate",
        "Win rate",
        "percent",
        CLOSED,
        "Deals won of all deals closed, by the date on which they were closed.",
        "won_count / (won_count + lost_count)",
        _ratio("won_count", "won_count", "lost_count"),
    ),
    Kpi(
        "average_deal",
        "Average deal",
        "money",
        CLOSED,
        "The average amount of the deals won, by the date on which they were closed.",
        "won_amount / won_count",
        _ratio("won_amount", "won_count"),
    ),
    Kpi(
        "bookings",
        "Bookings",
        "money",
        BOOKED,
        "The net of what the ERP has confirmed, on the day of its confirmation, less what was rejected or"
        " cancelled afterwards, on the day of that.",
        "sum of round(line net x confirmed / quantity), reversed by rejection and cancellation",
        _sum("booked"),
    ),
    Kpi(
        "order_rejection_rate",
        "Orders rejected",
        "percent",
        ANSWERED,
        "The ERP's refusals of all its answers to orders, by the day of the answer.",
        "rejected / (acknowledged + rejected)",
        _ratio("rejected", "answered"),
        "down",
    ),
    Kpi(
        "invoiced_amount",
        "Invoiced",
        "money",
        BILLED,
        "What the ERP has invoiced, tax included, by the day of the invoice.",
        "sum of amount over invoices",
        _sum("invoiced"),
    ),
    Kpi(
        "paid_amount",
        "Paid",
        "money",
        BILLED,
        "What customers have paid, by the day of the payment.",
        "sum of amount over payments",
        _sum("paid"),
    ),
)

KPIS: dict[str, Kpi] = {kpi.name: kpi for kpi in _DEFINED}
"""Every key figure by name."""
