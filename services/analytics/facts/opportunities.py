"""Opportunities: every version with the interval in which it held, and its amounts by product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from services.analytics.projection import ArchivedFact, Data, Projection, Rows
from shared.kernel.money import Money, allocate

__all__ = ["OPPORTUNITIES", "shares"]


def shares(
    lines: Iterable[Mapping[str, Any]], amounts: Iterable[Money | None]
) -> tuple[list[str], list[list[str]]]:
    """The products of `lines`, each once, and every amount shared out over them by the lines' net.

    Largest remainder, so the shares add up to the amount; equal shares where no line has a value. An amount
    that is None has no shares. Returns the product ids and, per amount, the shares as text.
    """
    weights: dict[str, Decimal] = {}
    for line in lines:
        product = line["product_id"]
        weights[product] = weights.get(product, Decimal(0)) + max(Decimal(line["net"]["amount"]), Decimal(0))
    if not any(weights.values()):
        weights = dict.fromkeys(weights, Decimal(1))
    parts: list[list[str]] = []
    for amount in amounts:
        if amount is None or not weights:
            parts.append([])
        elif len(weights) == 1:
            parts.append([str(amount.amount)])
        else:
            parts.append([str(part.amount) for part in allocate(amount, list(weights.values()))])
    return list(weights), parts


def _rows(fact: ArchivedFact, data: Data) -> Rows:
    base = None if data["base_amount"] is None else Money.from_data(data["base_amount"])
    # Rounded per record, then added: the same rule as for exchange rates.
    weighted = None if base is None else base.times(Decimal(data["probability_bp"]) / 10_000)
    product_ids, (amounts, weighted_amounts) = shares(data["lines"], (base, weighted))
    row = {
        "opportunity_id": data["opportunity_id"],
        "version": fact.version,
        "event_id": fact.event_id,
        "effective_at": fact.effective_at,
        "origin": data["origin"],
        "status": data["status"],
        "pipeline_id": data["pipeline_id"],
        "stage": data["stage"],
        "account_id": data["account_id"],
        "owner_id": data["owner_id"],
        "close_date": data["close_date"],
        "probability_bp": data["probability_bp"],
        "forecast_category": data["forecast_category"],
        "has_amount": data["amount"] is not None,
        "amount": None if base is None else str(base.amount),
        "weighted": None if weighted is None else str(weighted.amount),
        "currency": None if base is None else base.currency,
        "product_ids": product_ids,
        "product_amounts": amounts,
        "product_weighted": weighted_amounts,
    }
    return [("opportunity_versions", row)]


OPPORTUNITIES = Projection(
    name="opportunities",
    version=1,
    tables=("opportunity_versions",),
    reads=("crm.sales.opportunity.",),
    rows=_rows,
)
