"""What became of an order in every service, counted: exactly what should be there, nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.client import SuiteClient
from deploy.local.demo_chain import Chain
from deploy.local.demo_flow import Deal
from deploy.local.problems import LocalProblem

__all__ = ["PAID", "REFUSED", "count", "state_of", "surplus", "timeline"]

PAID = {"orders": 1, "contracts": 1, "work orders": 1, "ERP documents": 1, "assets": 3}
"""What an order of the demo leaves behind: one of everything, and an asset for each of its three goods."""

REFUSED = {**PAID, "assets": 0}
"""The same of an order that the ERP refused: drafts that were cancelled, and nothing was shipped."""


def count(client: SuiteClient, deal: Deal) -> dict[str, int]:
    """How many records of each kind there are for the deal's order."""
    order = {"order_id": deal.order_id}
    lists: dict[str, tuple[str, str, Mapping[str, str]]] = {
        "orders": ("sales", "/v1/orders", {"opportunity_id": deal.opportunity_id}),
        "contracts": ("support", "/v1/contracts", order),
        "work orders": ("fieldservice", "/v1/work-orders", order),
        "ERP documents": ("erp", "/v1/demo-erp/documents", {"reference": deal.order_id}),
        "assets": ("support", "/v1/assets", order),
    }
    return {
        name: sum(1 for _ in client.items(service, path, **query))
        for name, (service, path, query) in lists.items()
    }


def surplus(client: SuiteClient, deal: Deal, chain: Chain, expected: Mapping[str, int]) -> int:
    """How many records of the deal's order, and archived facts of its chain, there are more than there should be.

    Raises LocalProblem where something is missing, or a fact is stuck.
    """
    counted = count(client, deal)
    for name, wanted in expected.items():
        if counted[name] < wanted:
            raise LocalProblem(f"The order {deal.order_id} has {counted[name]} {name}, not {wanted}.")
    if troubles := chain.troubles():
        raise LocalProblem(f"A fact of the order is stuck: {troubles[0]}.")
    return sum(counted[name] - wanted for name, wanted in expected.items()) + chain.archived_twice()


def state_of(client: SuiteClient, service: str, path: str, deal: Deal) -> str:
    """The state of the one record that `service` keeps for the deal's order."""
    return str(next(client.items(service, path, order_id=deal.order_id))["state"])


def timeline(client: SuiteClient, deal: Deal, chain: Chain) -> list[dict[str, Any]]:
    """What analytics shows of the chain on the customer's timeline, once it has read the last fact."""
    path = f"/v1/customers/{deal.account_id}/timeline"
    last = chain.facts()[-1].id
    if client.get("analytics", path, limit=1, after_event=last, wait_ms=2000)["stale"]:
        raise LocalProblem("Analytics had not read the last fact of the order after 2 s.")
    return list(client.items("analytics", path, correlation_id=chain.correlation_id))
