"""What figures are cut by: people and teams, products, stages, and who the customers are."""

from __future__ import annotations

from collections.abc import Callable

from services.analytics.projection import ArchivedFact, Data, Projection, Rows

__all__ = ["DIMENSIONS"]

_ORDER_LINK = "crm.sales.order.submitted.v1"
_LEAD_LINKS = ("crm.sales.lead.accepted.v1", "crm.marketing.lead.converted.v1")


def _user(fact: ArchivedFact, data: Data) -> Rows:
    row = {
        "user_id": data["user_id"],
        "display_name": data["display_name"],
        "manager_id": data["manager_id"],
        "team_ids": data["team_ids"],
        "active": data["active"],
    }
    return [("people", _versioned(row, fact))]


def _team(fact: ArchivedFact, data: Data) -> Rows:
    row = {name: data[name] for name in ("team_id", "name", "kind", "parent_id", "lead_id")}
    return [("team_names", _versioned(row, fact))]


def _product(fact: ArchivedFact, data: Data) -> Rows:
    row = {name: data[name] for name in ("product_id", "sku", "name", "family")}
    return [("products", _versioned(row, fact))]


def _pipeline(fact: ArchivedFact, data: Data) -> Rows:
    for stage in data["stages"]:
        row = {
            "pipeline_id": data["pipeline_id"],
            "stage": stage["key"],
            "name": stage["name"],
            "position": stage["position"],
        }
        yield "stages", _versioned(row, fact)


def _account(fact: ArchivedFact, data: Data) -> Rows:
    row = {
        "customer_id": data["account_id"],
        "kind": "account",
        "name": data["name"],
        "owner_id": data["owner_id"],
        "sector": data["industry"],
    }
    return [("customers", _versioned(row, fact))]


def _lead(fact: ArchivedFact, data: Data) -> Rows:
    """A lead is a customer of its own until it belongs to an account."""
    data = data
    row = {
        "customer_id": data["lead_id"],
        "kind": "lead",
        "name": (data.get("company") or {}).get("name"),
        "owner_id": data["owner_id"],
        "sector": (data.get("company") or {}).get("industry"),
    }
    yield "customers", _versioned(row, fact)
    if fact.type in _LEAD_LINKS:
        yield from _link(fact, data, "lead_id")


def _sales_lead(fact: ArchivedFact, data: Data) -> Rows:
    return _link(fact, data, "lead_id") if fact.type in _LEAD_LINKS else ()


def _order(fact: ArchivedFact, data: Data) -> Rows:
    """What the ERP says of an order names no customer: the order's own fact does."""
    return _link(fact, data, "order_id") if fact.type == _ORDER_LINK else ()


def _link(fact: ArchivedFact, data: Data, member: str) -> Rows:
    row = {
        "event_id": fact.event_id,
        "member_id": data[member],
        "customer_id": data["account_id"],
    }
    return [("customer_links", row)]


def _versioned(row: dict[str, object], fact: ArchivedFact) -> dict[str, object]:
    return {**row, "version": fact.version, "event_id": fact.event_id}


_BY_AGGREGATE: dict[str, Callable[[ArchivedFact, Data], Rows]] = {
    "crm.identity.user": _user,
    "crm.identity.team": _team,
    "crm.sales.product": _product,
    "crm.sales.pipeline": _pipeline,
    "crm.sales.account": _account,
    "crm.sales.lead": _sales_lead,
    "crm.sales.order": _order,
    "crm.marketing.lead": _lead,
}


def _rows(fact: ArchivedFact, data: Data) -> Rows:
    return _BY_AGGREGATE[fact.aggregate](fact, data)


DIMENSIONS = Projection(
    name="dimensions",
    version=1,
    tables=("people", "team_names", "products", "stages", "customers", "customer_links"),
    reads=tuple(f"{aggregate}." for aggregate in _BY_AGGREGATE),
    rows=_rows,
)
