"""What happened around a customer, from all services."""

from __future__ import annotations

from typing import Any

from shared.kernel.ids import new_id
from tests.analytics.world import Analytics, Deal, Told, account, days, example, order, person


def _kinds(answer: dict[str, Any]) -> list[str]:
    return [f"{item['service']} {item['kind']}" for item in answer["items"]]


def test_facts_of_all_services_meet_on_the_customers_timeline(analytics: Analytics) -> None:
    acme, lead, sold, contract = (str(new_id()) for _ in range(4))
    captured = example("marketing/lead.captured.v1/typical", lead_id=lead)
    accepted = example("sales/lead.accepted.v1/typical", lead_id=lead, account_id=acme)
    deal = Deal(account_id=acme, amount="24605.78")
    erp = example("erp/order.accepted.v1/typical", order_id=sold)
    drafted = example("support/contract.drafted.v1/typical", contract_id=contract, account_id=acme)
    drafted["effective_at"] = "2026-03-06T09:00:00Z"
    analytics.tell(
        # The ERP's answer arrives before anything says whose order it is.
        Told("crm.erp.order.accepted.v1", erp, sold, 1, days(3)),
        Told("crm.marketing.lead.captured.v1", captured, lead, 1, days(-3)),
        account(acme, "Acme"),
        Told("crm.sales.lead.accepted.v1", accepted, lead, 1),
        deal.tell("won", days(1)),
        order(sold, "submitted", 1, days(2), account_id=acme),
        Told("crm.support.contract.drafted.v1", drafted, contract, 1),
        Deal(account_id=None).tell("created"),
        Deal().tell("created"),
    )
    answer = analytics.get(f"/v1/customers/{acme}/timeline")
    assert _kinds(answer) == [
        "support contract.drafted",
        "erp order.accepted",
        "sales order.submitted",
        "sales opportunity.won",
        *(["sales lead.accepted", "sales account.created", "marketing lead.captured"]),
    ]
    won = answer["items"][3]
    assert won["summary"] == "Opportunity won: Controllers for two welding lines"
    assert won["amount"] == {"amount": "24605.78", "currency": "EUR"}
    assert (won["subject_type"], won["subject_id"]) == ("opportunity", deal.id)
    assert (answer["position"], answer["lag_seconds"], answer["next"]) == (9, 0.0, None)
    # The lead's and the order's own addresses lead to the same timeline.
    assert analytics.get(f"/v1/customers/{lead}/timeline")["items"] == answer["items"]


def test_a_lead_without_an_account_is_a_customer_of_its_own(analytics: Analytics) -> None:
    lead = str(new_id())
    captured = example("marketing/lead.captured.v1/typical", lead_id=lead)
    analytics.tell(Told("crm.marketing.lead.captured.v1", captured, lead))
    (entry,) = analytics.get(f"/v1/customers/{lead}/timeline")["items"]
    # No personal data gets onto a timeline.
    assert entry["summary"] == "Lead captured"
    assert "Brandt" not in str(entry)


def test_a_timeline_is_filtered_and_paged(analytics: Analytics) -> None:
    acme = str(new_id())
    deals = [Deal(account_id=acme) for _ in range(5)]
    chain = new_id()
    told = [deal.tell("created", days(n)) for n, deal in enumerate(deals)]
    erp = Told(
        "crm.sales.opportunity.won.v1",
        deals[0].tell("won", days(9)).data,
        deals[0].id,
        2,
        days(9),
        correlation_id=chain,
    )
    analytics.tell(account(acme, "Acme"), *told, erp)
    path = f"/v1/customers/{acme}/timeline"
    seen: list[str] = []
    query: dict[str, Any] | None = {}
    while query is not None:
        page = analytics.get(path, limit=2, kind="opportunity.created", **query)
        seen += [item["subject_id"] for item in page["items"]]
        query = {"cursor": page["next"]} if page["next"] else None
    assert seen == [deal.id for deal in reversed(deals)]
    assert _kinds(analytics.get(path, correlation_id=str(chain))) == ["sales opportunity.won"]
    assert _kinds(analytics.get(path, service="support")) == []
    bounded = analytics.get(path, **{"from": "2026-03-03T09:00:00Z", "to": "2026-03-05T09:00:00Z"})
    assert [item["subject_id"] for item in bounded["items"]] == [deals[2].id, deals[1].id]
    assert analytics.get(path, 400, cursor="forged")["type"] == "/problems/invalid-cursor"


def test_a_customer_out_of_reach_looks_like_none(analytics: Analytics) -> None:
    ada, ben, acme = str(new_id()), str(new_id()), str(new_id())
    analytics.tell(person(ada, "Ada"), person(ben, "Ben"), account(acme, "Acme", owner_id=ada))
    path = f"/v1/customers/{acme}/timeline"
    assert len(analytics.get(path, as_=ada, reach="own")["items"]) == 1
    assert analytics.get(path, 404, as_=ben, reach="own")["type"] == "/problems/not-found"
    assert analytics.get(path, 404, as_=ben, reach="team")["type"] == "/problems/not-found"
    assert len(analytics.get(path, as_=ben)["items"]) == 1
    assert analytics.get(f"/v1/customers/{new_id()}/timeline", 404)["status"] == 404
