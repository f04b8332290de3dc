"""Contracts and work orders in their present state."""

from __future__ import annotations

from services.analytics.projection import ArchivedFact, Data, Projection, Rows

__all__ = ["SERVICE_WORK"]

_CONTRACT = ("contract_id", "state", "account_id", "owner_id", "order_id", "starts_on", "ends_on")
_WORK_ORDER = ("work_order_id", "state", "kind", "account_id", "order_id")


def _rows(fact: ArchivedFact, data: Data) -> Rows:
    versioned = {"version": fact.version, "event_id": fact.event_id}
    if fact.aggregate == "crm.support.contract":
        return [("contracts", {**versioned, **{name: data[name] for name in _CONTRACT}})]
    row = {name: data[name] for name in _WORK_ORDER}
    return [("work_orders", {**versioned, **row, "completed_at": data.get("completed_at")})]


SERVICE_WORK = Projection(
    name="service_work",
    version=1,
    tables=("contracts", "work_orders"),
    reads=("crm.support.contract.", "crm.fieldservice.work_order."),
    rows=_rows,
)
