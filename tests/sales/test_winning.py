"""A win: quote, deal and order in one transaction, once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.sales.conftest import SIGNER, Sales, euros


def test_acceptance_wins_the_deal_and_hands_the_order_off_in_one_chain(sales: Sales) -> None:
    deal = sales.deal()
    quote = sales.sent_quote(deal)
    before = len(sales.told())
    assert sales.accept(quote).status_code == 200
    assert sales.told()[before:] == ["quote.accepted", "order.submitted", "opportunity.won"]
    won = sales.get(f"/v1/opportunities/{deal['id']}")
    assert (won["status"], won["amount"], won["close_date"]) == ("won", euros("2000.00"), "2026-03-02")
    (order,) = sales.orders()
    assert (order["state"], order["technical"], order["net_total"]) == ("submitted", "none", euros("2000.00"))
    assert order["tax_total"] == euros("380.00")
    assert order["opportunity_id"] == deal["id"]
    assert order["quote_id"] == quote["id"]
    (submitted,), (fact,) = sales.facts("order.submitted"), sales.facts("opportunity.won")
    assert (
        submitted.correlation_id
        == fact.correlation_id
        == sales.facts("opportunity.created")[0].correlation_id
    )
    assert (fact.data["order_id"], fact.data["quote_id"]) == (order["id"], quote["id"])
    assert submitted.data["request_no"] == 1
    assert submitted.data["respond_by"] == "2026-03-03T09:00:00Z"
    assert submitted.data["ship_to"]["locality"] == "Berlin"
    assert [line["confirmed"] for line in submitted.data["lines"]] == ["0"]


def test_winning_by_hand_makes_the_order_of_the_approved_quote(sales: Sales) -> None:
    deal = sales.deal()
    quote = sales.quote(deal)
    sales.done(f"/v1/quotes/{quote['id']}/submit", version=1)
    version = sales.get(f"/v1/opportunities/{deal['id']}")["version"]
    won = sales.done(f"/v1/opportunities/{deal['id']}/win", {}, version)
    assert won["status"] == "won"
    assert [order["quote_id"] for order in sales.orders()] == [quote["id"]]


def test_prices_that_nobody_has_approved_make_no_order(sales: Sales) -> None:
    deal = sales.deal()
    sales.quote(deal, discount_bp=2000)
    version = sales.get(f"/v1/opportunities/{deal['id']}")["version"]
    won = sales.done(f"/v1/opportunities/{deal['id']}/win", {}, version)
    assert (won["status"], won["amount"]) == ("won", euros("1600.00"))
    assert sales.orders() == []
    assert sales.facts("opportunity.won")[0].data["order_id"] is None


def test_a_deal_without_a_quote_is_won_without_an_order(sales: Sales) -> None:
    deal = sales.deal()
    won = sales.done(f"/v1/opportunities/{deal['id']}/win", {"close_date": "2026-02-27"}, 1)
    assert (won["close_date"], won["amount"], won["stage_log"][-1]["stage"]) == (
        "2026-02-27",
        euros("0.00"),
        "won",
    )
    assert sales.orders() == []


def test_a_deal_without_an_account_cannot_be_won(sales: Sales) -> None:
    deal = sales.deal(account_id=None)
    sales.refused(409, "account-needed", f"/v1/opportunities/{deal['id']}/win", {}, 1)
    assert sales.facts("opportunity.won") == []


def test_without_an_address_nothing_is_won(sales: Sales) -> None:
    deal = sales.deal(account_id=sales.account("Nowhere Ltd", addresses=[])["id"])
    quote = sales.sent_quote(deal)
    answer = sales.accept(quote)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/address-needed")
    assert sales.get(f"/v1/quotes/{quote['id']}")["state"] == "sent"
    assert sales.get(f"/v1/opportunities/{deal['id']}")["status"] == "open"
    assert sales.orders() == []


def test_a_pipeline_may_ask_for_an_accepted_quote(sales: Sales) -> None:
    stages = [{"key": "only", "name": "Only", "probability_bp": 5000, "forecast_category": "pipeline"}]
    body = {"name": "Strict", "stages": stages, "win_requires": "accepted_quote", "on_accept": "ask_owner"}
    draft = sales.done("/v1/pipelines", body)
    strict = sales.done(f"/v1/pipelines/{draft['id']}/publish", version=1)
    deal = sales.deal(pipeline_id=strict["id"])
    path = f"/v1/opportunities/{deal['id']}"
    quote = sales.sent_quote(deal)
    version = sales.get(path)["version"]
    sales.refused(409, "win-requirements-unmet", f"{path}/win", {}, version)
    assert sales.accept(quote).status_code == 200
    asked = sales.get(path)
    assert (asked["status"], [item["code"] for item in asked["attention"]]) == ("open", ["customer_accepted"])
    assert sales.orders() == []
    sales.done(f"{path}/win", {}, asked["version"])
    assert len(sales.orders()) == 1


def test_a_pipeline_may_ask_for_lines(sales: Sales) -> None:
    stages = [{"key": "only", "name": "Only", "probability_bp": 5000, "forecast_category": "pipeline"}]
    draft = sales.done("/v1/pipelines", {"name": "Lines", "stages": stages, "win_requires": "lines"})
    sales.done(f"/v1/pipelines/{draft['id']}/publish", version=1)
    deal = sales.deal(pipeline_id=draft["id"])
    sales.refused(409, "win-requirements-unmet", f"/v1/opportunities/{deal['id']}/win", {}, 1)


def test_twenty_wins_at_once_make_one_order(sales: Sales) -> None:
    deal = sales.deal()
    sales.sent_quote(deal)
    path = f"/v1/opportunities/{deal['id']}"
    version, headers = sales.get(path)["version"], sales.admin
    assert sales.service.app is not None  # made before the threads start
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: sales.send(f"{path}/win", {}, version, headers=headers), range(20))
        statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 409, 412}
    assert (
        len(sales.orders()) == len(sales.facts("order.submitted")) == len(sales.facts("opportunity.won")) == 1
    )


def test_twenty_acceptances_at_once_make_one_order(sales: Sales) -> None:
    quote = sales.sent_quote()
    assert sales.service.app is not None
    with ThreadPoolExecutor(20) as pool:
        statuses = Counter(
            answer.status_code for answer in pool.map(lambda _: sales.accept(quote), range(20))
        )
    assert statuses == {200: 20}
    assert (
        len(sales.orders()) == len(sales.facts("quote.accepted")) == len(sales.facts("opportunity.won")) == 1
    )


def test_a_win_whose_customer_accepts_later_makes_no_second_order(sales: Sales) -> None:
    deal = sales.deal()
    quote = sales.sent_quote(deal)
    sales.done(
        f"/v1/opportunities/{deal['id']}/win", {}, sales.get(f"/v1/opportunities/{deal['id']}")["version"]
    )
    assert sales.accept(quote).status_code == 200
    assert len(sales.orders()) == 1
    assert sales.facts("quote.accepted")[0].data["signer"]["name"] == SIGNER["name"]


def test_a_deal_with_a_standing_order_stays_won(sales: Sales) -> None:
    order = sales.order()
    path = f"/v1/opportunities/{order['opportunity_id']}"
    sales.refused(409, "order-stands", f"{path}/reopen", {"reason": "Oops"}, sales.get(path)["version"])
    sales.erp("rejected", order)
    assert sales.done(f"{path}/reopen", {"reason": "Oops"}, sales.get(path)["version"])["status"] == "open"
