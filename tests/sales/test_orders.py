"""Orders and the ERP's answers: whole, in part, twice, late, out of order and against each other."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sales.conftest import BERLIN, Sales, euros, example


def codes(record: Any) -> list[str]:
    return [item["code"] for item in record["attention"]]


def now(sales: Sales, order: Any) -> Any:
    return sales.get(f"/v1/orders/{order['id']}")


def cancel(sales: Sales, order: Any) -> Any:
    version = now(sales, order)["version"]
    return sales.done(f"/v1/orders/{order['id']}/cancel", {"reason": "Wrong colour"}, version)


def order_facts(sales: Sales) -> list[str]:
    return [kind.removeprefix("order.") for kind in sales.told() if kind.startswith("order.")]


def test_receipt_is_technical_and_stops_the_five_minute_watch(sales: Sales) -> None:
    order = sales.order()
    sales.erp("received", order)
    sales.pass_time(minutes=6)
    order = now(sales, order)
    assert (order["state"], order["technical"], codes(order)) == ("submitted", "received", [])
    assert order_facts(sales) == ["submitted"]


def test_silence_is_flagged_after_five_minutes_and_after_a_day_and_nothing_else_happens(sales: Sales) -> None:
    order = sales.order()
    sales.pass_time(minutes=4, seconds=59)
    assert codes(now(sales, order)) == []
    sales.pass_time(seconds=1)
    assert codes(now(sales, order)) == ["handoff_silent"]
    sales.pass_time(hours=24)
    assert codes(now(sales, order)) == ["handoff_silent", "no_answer"]
    assert now(sales, order)["state"] == "submitted"
    assert order_facts(sales) == ["submitted"]
    assert len(sales.get("/v1/orders", needs_attention="true")["items"]) == 1
    sales.erp("received", order)
    assert codes(now(sales, order)) == ["no_answer"]
    sales.erp("accepted", order)
    assert codes(now(sales, order)) == []


def test_acceptance_acknowledges_the_order_with_the_erp_number(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    order = now(sales, order)
    assert (order["state"], order["erp_number"], order["technical"]) == (
        "acknowledged",
        "SO-2026-0417",
        "received",
    )
    assert order["lines"][0]["confirmed"] == "2"
    (fact,) = sales.facts("order.acknowledged")
    assert (fact.data["partial"], fact.data["erp_number"]) == (False, "SO-2026-0417")
    assert fact.correlation_id == sales.facts("order.submitted")[0].correlation_id
    sales.pass_time(hours=25)
    assert codes(now(sales, order)) == []


def test_the_same_answer_again_changes_nothing(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    version = now(sales, order)["version"]
    sales.erp("accepted", order)
    assert now(sales, order)["version"] == version
    assert order_facts(sales) == ["submitted", "acknowledged"]


def test_partial_acceptance_asks_for_attention(sales: Sales) -> None:
    order = sales.order()
    line = {**example("crm.erp.order.accepted.v1")["lines"][0], "line_id": order["lines"][0]["line_id"]}
    sales.erp("partially_accepted", order, lines=[{**line, "accepted": "1"}])
    order = now(sales, order)
    assert (order["state"], order["lines"][0]["confirmed"], codes(order)) == (
        "acknowledged", "1", ["unconfirmed_lines"],
    )  # fmt: skip
    assert sales.facts("order.acknowledged")[0].data["partial"] is True


def test_rejection_keeps_the_deal_won_and_tells_its_owner_why(sales: Sales) -> None:
    order = sales.order()
    sales.erp("rejected", order, code="credit_limit", text="Too much")
    assert (now(sales, order)["state"], codes(now(sales, order))) == ("rejected", ["rejected"])
    deal = sales.get(f"/v1/opportunities/{order['opportunity_id']}")
    assert (deal["status"], codes(deal)) == ("won", ["order_rejected"])
    assert deal["attention"][0]["detail"] == f"{order['number']}: credit_limit: Too much"
    sales.erp("rejected", order, code="credit_limit", text="Too much")
    assert order_facts(sales) == ["submitted", "rejected"]


def test_a_rejected_order_is_corrected_and_handed_off_again(sales: Sales) -> None:
    order = sales.order()
    sales.erp("rejected", order)
    address = {key: value for key, value in BERLIN.items() if key not in ("type", "is_primary")}
    fixed = {"ship_to": {**address, "lines": ["Hafen 2"]}}
    again = sales.done(f"/v1/orders/{order['id']}/resubmit", fixed, now(sales, order)["version"])
    assert (again["id"], again["state"], again["request_no"], codes(again)) == (
        order["id"],
        "submitted",
        2,
        [],
    )
    assert codes(sales.get(f"/v1/opportunities/{order['opportunity_id']}")) == []
    assert [fact.data["request_no"] for fact in sales.facts("order.submitted")] == [1, 2]
    assert sales.facts("order.submitted")[1].data["ship_to"]["lines"] == ["Hafen 2"]
    sales.erp("accepted", order, request_no=1)  # an answer to what was rejected
    assert now(sales, order)["state"] == "submitted"
    sales.pass_time(minutes=5)
    assert codes(now(sales, order)) == ["handoff_silent"]
    sales.erp("accepted", order, request_no=2)
    assert now(sales, order)["state"] == "acknowledged"


def test_a_rejected_order_is_cancelled_at_once(sales: Sales) -> None:
    order = sales.order()
    sales.erp("rejected", order)
    assert cancel(sales, order)["state"] == "cancelled"
    assert order_facts(sales) == ["submitted", "rejected", "cancelled"]
    assert "order_cancelled" in codes(sales.get(f"/v1/opportunities/{order['opportunity_id']}"))


def test_cancelling_asks_the_erp_and_waits(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    asked = cancel(sales, order)
    assert (asked["state"], asked["request_no"], asked["technical"]) == ("cancelling", 2, "none")
    sales.pass_time(minutes=5)
    assert codes(now(sales, order)) == ["handoff_silent"]
    sales.erp("cancelled", order, request_no=2, code="cancelled", text="As you wish")
    order = now(sales, order)
    assert (order["state"], codes(order)) == ("cancelled", [])
    (fact,) = sales.facts("order.cancelled")
    assert (fact.data["code"], fact.data["text"]) == ("cancelled", "As you wish")
    sales.erp("cancelled", order, request_no=2)
    assert len(sales.facts("order.cancelled")) == 1


@pytest.mark.parametrize(("answers", "state"), [([], "submitted"), (["accepted"], "acknowledged")])
def test_a_refused_cancellation_goes_back_to_where_it_was(
    sales: Sales, answers: list[str], state: str
) -> None:
    order = sales.order()
    for answer in answers:
        sales.erp(answer, order)
    cancel(sales, order)
    sales.erp("rejected", order, request_no=2, code="too_late", text="On the truck")
    assert (now(sales, order)["state"], codes(now(sales, order))) == (state, ["cancel_refused"])
    assert "rejected" not in order_facts(sales)
    if state == "submitted":
        sales.erp("accepted", order, request_no=1)
        assert now(sales, order)["state"] == "acknowledged"


def test_acceptance_while_cancelling_asks_for_cancellation_once_more(sales: Sales) -> None:
    order = sales.order()
    cancel(sales, order)
    sales.erp("accepted", order, request_no=1)
    late = now(sales, order)
    assert (late["state"], late["erp_number"], late["request_no"]) == ("cancelling", "SO-2026-0417", 3)
    assert codes(late) == ["accepted_after_cancellation"]
    sales.erp("accepted", order, request_no=1)
    assert order_facts(sales) == ["submitted", "cancel_requested", "cancel_requested"]
    sales.erp("cancelled", order, request_no=3)
    assert now(sales, order)["state"] == "cancelled"


def test_acceptance_after_cancellation_is_cancelled_again_and_revives_nothing(sales: Sales) -> None:
    order = sales.order()
    cancel(sales, order)
    sales.erp("cancelled", order, request_no=2)
    sales.erp("accepted", order, request_no=1)
    assert (now(sales, order)["state"], now(sales, order)["request_no"]) == ("cancelled", 3)
    assert order_facts(sales) == ["submitted", "cancel_requested", "cancelled", "cancel_requested"]
    sales.erp("cancelled", order, request_no=3)
    assert len(sales.facts("order.cancelled")) == 1


def test_an_answer_repeated_while_cancelling_does_not_ask_again(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    cancel(sales, order)
    sales.erp("accepted", order, request_no=1)
    assert (now(sales, order)["state"], now(sales, order)["request_no"]) == ("cancelling", 2)


def test_rejection_while_cancelling_rejects_the_order(sales: Sales) -> None:
    order = sales.order()
    cancel(sales, order)
    sales.erp("rejected", order, request_no=1)
    assert now(sales, order)["state"] == "rejected"
    sales.erp("rejected", order, request_no=2)  # there is nothing to cancel
    assert now(sales, order)["state"] == "rejected"


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [("accepted", "rejected", "acknowledged"), ("rejected", "accepted", "rejected")],
)
def test_answers_that_contradict_each_other_ask_for_attention(
    sales: Sales, first: str, then: str, state: str
) -> None:
    order = sales.order()
    sales.erp(first, order)
    told = order_facts(sales)
    sales.erp(then, order)
    assert now(sales, order)["state"] == state
    assert "contradiction" in codes(now(sales, order))
    assert order_facts(sales) == told


def test_two_erp_numbers_for_one_order_ask_for_attention(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    sales.erp("accepted", order, erp_number="SO-OTHER")
    order = now(sales, order)
    assert (order["erp_number"], codes(order)) == ("SO-2026-0417", ["two_erp_numbers"])
    assert order_facts(sales) == ["submitted", "acknowledged"]


def test_an_answer_to_a_request_that_was_never_made_changes_nothing(sales: Sales) -> None:
    order = sales.order()
    for answer in ("received", "accepted", "rejected", "cancelled"):
        sales.erp(answer, order, request_no=9)
    assert now(sales, order) == order
    assert order_facts(sales) == ["submitted"]


def ship(sales: Sales, order: Any, cumulative: str) -> None:
    line = {"line_id": order["lines"][0]["line_id"], "quantity": "1", "cumulative": cumulative, "serials": []}
    sales.erp("shipped", order, shipment_lines=[line])


def test_shipping_adds_up_and_never_goes_back(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    ship(sales, order, "2")
    ship(sales, order, "1")
    ship(sales, order, "2")
    order = now(sales, order)
    assert (order["lines"][0]["shipped"], order["fulfilment"]) == ("2", "full")
    assert [fact.data["fulfilment"] for fact in sales.facts("order.shipped")] == ["full"]
    no = sales.refused(
        409, "shipped-already", f"/v1/orders/{order['id']}/cancel", {"reason": "x"}, order["version"]
    )
    assert no["status"] == 409
    assert "cancel_requested" not in order_facts(sales)


def test_shipping_before_acceptance_is_kept_and_flagged_until_acceptance(sales: Sales) -> None:
    order = sales.order()
    ship(sales, order, "1")
    early = now(sales, order)
    assert (early["state"], early["lines"][0]["shipped"], early["fulfilment"]) == (
        "submitted",
        "1",
        "partial",
    )
    assert codes(early) == ["shipped_unconfirmed"]
    sales.erp("accepted", order)
    assert (now(sales, order)["state"], codes(now(sales, order))) == ("acknowledged", [])
    assert now(sales, order)["lines"][0]["shipped"] == "1"


def test_shipping_a_cancelled_order_asks_for_attention(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    cancel(sales, order)
    sales.erp("cancelled", order, request_no=2)
    ship(sales, order, "1")
    assert (now(sales, order)["state"], codes(now(sales, order))) == ("cancelled", ["contradiction"])


def test_invoices_and_payments_are_cumulative(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    for answer, total, billing in (
        ("invoiced", "1000.00", "partial"),
        ("invoiced", "2380.00", "full"),
        ("invoiced", "1000.00", "full"),
        ("paid", "380.00", "full"),
        ("paid", "2380.00", "paid"),
        ("paid", "380.00", "paid"),
    ):
        sales.erp(answer, order, cumulative=euros(total))
        assert now(sales, order)["billing"] == billing
    assert [fact.data["amount"]["amount"] for fact in sales.facts("order.invoiced")] == ["1000.00", "1380.00"]
    assert [(f.data["amount"]["amount"], f.data["settled"]) for f in sales.facts("order.paid")] == [
        ("380.00", False),
        ("2000.00", True),
    ]


def test_another_currency_is_no_progress(sales: Sales) -> None:
    order = sales.order()
    sales.erp("accepted", order)
    sales.erp("paid", order, cumulative={"amount": "2380.00", "currency": "USD"})
    assert (now(sales, order)["billing"], codes(now(sales, order))) == ("none", ["wrong_currency"])
    assert sales.facts("order.paid") == []


def test_an_answer_about_an_order_that_is_not_here_is_tried_again(sales: Sales) -> None:
    data = example("crm.erp.order.accepted.v1", order_id=str(uuid.uuid4()))
    sales.service.deliver("crm.erp.order.accepted.v1", data)
    assert [error.split(":")[0] for error in sales.errors()] == ["OrderUnknown"]


LEGAL = {
    "submitted": ["cancel"],
    "acknowledged": ["cancel"],
    "rejected": ["resubmit", "cancel"],
    "cancelling": [],
    "cancelled": [],
}


@pytest.mark.parametrize("state", LEGAL)
def test_every_verb_in_every_state(sales: Sales, state: str) -> None:
    order = sales.order()
    if state in ("acknowledged", "rejected"):
        sales.erp({"acknowledged": "accepted"}.get(state, state), order)
    if state in ("cancelling", "cancelled"):
        cancel(sales, order)
    if state == "cancelled":
        sales.erp("cancelled", order, request_no=2)
    order = now(sales, order)
    assert (order["state"], order["allowed"]) == (state, LEGAL[state])
    told = order_facts(sales)
    for verb, body in (("cancel", {"reason": "x"}), ("resubmit", {})):
        if verb not in LEGAL[state]:
            path = f"/v1/orders/{order['id']}/{verb}"
            assert (
                sales.refused(409, "illegal-state", path, body, order["version"])["allowed"] == LEGAL[state]
            )
    assert order_facts(sales) == told


def test_the_handoff_page_shows_every_request_and_fact_of_the_chain(sales: Sales) -> None:
    order = sales.order()
    sales.erp("received", order)
    sales.erp("accepted", order)
    page = sales.get(f"/v1/orders/{order['id']}/handoff")
    (request,) = page["requests"]
    assert (request["kind"], request["answer"], len(request["payload_sha256"])) == ("submit", "accepted", 64)
    assert request["received_at"] is not None
    told = [fact["type"].removeprefix("crm.sales.") for fact in page["facts"] if fact["direction"] == "told"]
    assert told == [
        "opportunity.created.v1", "opportunity.changed.v1", "quote.approved.v1", "quote.sent.v1",
        "quote.accepted.v1", "order.submitted.v1", "opportunity.won.v1", "order.acknowledged.v1",
    ]  # fmt: skip
    heard = [fact["type"] for fact in page["facts"] if fact["direction"] == "heard"]
    assert heard == ["crm.erp.order.received.v1", "crm.erp.order.accepted.v1"]
    assert {(fact["direction"], fact["state"]) for fact in page["facts"]} == {
        ("told", "pending"),
        ("heard", "done"),
    }
