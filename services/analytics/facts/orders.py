"""Orders: every version with what of it is booked, and every step as a fact of its own day."""

from __future__ import annotations

from decimal import Decimal

from services.analytics.projection import ArchivedFact, Data, Projection, Row, Rows
from shared.kernel.money import Money

__all__ = ["ORDERS"]

# An order in one of these states is not booked, whatever its lines say.
_CALLED_OFF = ("rejected", "cancelled")


def _rows(fact: ArchivedFact, data: Data) -> Rows:
    yield "order_versions", _version(fact, data)
    yield "order_steps", _step(fact, data)


def _version(fact: ArchivedFact, data: Data) -> Row:
    booked = {} if data["state"] in _CALLED_OFF else _confirmed(data)
    return {
        "order_id": data["order_id"],
        "version": fact.version,
        "event_id": fact.event_id,
        "effective_at": fact.effective_at,
        "origin": data.get("origin", "user"),
        "state": data["state"],
        "fulfilment": data["fulfilment"],
        "billing": data["billing"],
        "account_id": data["account_id"],
        "owner_id": data["owner_id"],
        "opportunity_id": data["opportunity_id"],
        "currency": data["currency"],
        "net": data["net_total"]["amount"],
        "booked": str(sum(booked.values(), Decimal(0))),
        "product_ids": list(booked),
        "product_booked": [str(amount) for amount in booked.values()],
    }


def _confirmed(data: Data) -> dict[str, Decimal]:
    """Product to the net of what the ERP has confirmed: round(line net x confirmed / quantity)."""
    booked: dict[str, Decimal] = {}
    for line in data["lines"]:
        confirmed, quantity = Decimal(line["confirmed"]), Decimal(line["quantity"])
        if confirmed and quantity:
            net = Money.of(Decimal(line["net"]["amount"]) * confirmed / quantity, data["currency"])
            product = line["product_id"]
            booked[product] = booked.get(product, Decimal(0)) + net.amount
    return booked


def _step(fact: ArchivedFact, data: Data) -> Row:
    """Invoices and payments carry the amount of this step, all others mean the whole order."""
    amount = data.get("amount") or data["net_total"]
    return {
        "event_id": fact.event_id,
        "order_id": data["order_id"],
        "step": fact.type.split(".")[3],
        "effective_at": fact.effective_at,
        "account_id": data["account_id"],
        "owner_id": data["owner_id"],
        "amount": amount["amount"],
        "currency": amount["currency"],
        "product_ids": list(dict.fromkeys(line["product_id"] for line in data["lines"])),
    }


ORDERS = Projection(
    name="orders",
    version=1,
    tables=("order_versions", "order_steps"),
    reads=("crm.sales.order.",),
    rows=_rows,
)
