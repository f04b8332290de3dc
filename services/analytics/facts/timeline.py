"""The customer's timeline: one entry a fact, from all services, at its business time."""

from __future__ import annotations

from services.analytics.projection import ArchivedFact, Data, Projection, Rows
from shared.kernel.money import MINOR_UNITS

__all__ = ["TIMELINE"]

# Whose facts are about customers.
_SERVICES = ("crm.sales.", "crm.marketing.", "crm.support.", "crm.fieldservice.", "crm.erp.")

# How the thing a fact is about is called, in the order of preference. Names of people and what somebody wrote about
# them are not among them: a timeline keeps no personal data.
_LABELS = ("number", "name", "title", "erp_number", "serial", "kind", "type")
_PERSONAL = ("crm.sales.contact", "crm.marketing.lead")

_AMOUNTS = ("amount", "net_total")


def _rows(fact: ArchivedFact, data: Data) -> Rows:
    # Without an account a fact belongs to its lead or, for what the ERP says, to its order; links lead on.
    customer_id = data.get("account_id") or data.get("lead_id") or data.get("order_id")
    if customer_id is None:
        return ()
    _, service, aggregate, past, _ = fact.type.split(".", 4)
    amount = _amount(data)
    row = {
        "entry_id": fact.event_id,
        "customer_id": customer_id,
        "service": service,
        "kind": f"{aggregate}.{past}",
        "summary": _summary(fact, data, aggregate, past),
        "subject_type": aggregate,
        "subject_id": fact.aggregate_id,
        "effective_at": fact.effective_at,
        "occurred_at": fact.occurred_at,
        "correlation_id": fact.correlation_id,
        "actor_id": fact.actor_id,
        "channel": data.get("channel"),
        "amount": amount.get("amount"),
        "amount_currency": amount.get("currency"),
    }
    return [("timeline", row)]


def _summary(fact: ArchivedFact, data: Data, aggregate: str, past: str) -> str:
    what = f"{aggregate} {past}".replace("_", " ").capitalize()
    if fact.aggregate in _PERSONAL:
        return what
    label = next((data[name] for name in _LABELS if isinstance(data.get(name), str)), None)
    return what if label is None else f"{what}: {label}"


def _amount(data: Data) -> dict[str, str]:
    for name in _AMOUNTS:
        amount = data.get(name)
        if isinstance(amount, dict) and amount.get("currency") in MINOR_UNITS:
            return amount
    return {}


TIMELINE = Projection(name="timeline", version=2, tables=("timeline",), reads=_SERVICES, rows=_rows)
