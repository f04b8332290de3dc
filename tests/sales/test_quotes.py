"""Quotes: priced, approved, sent, and answered through a link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.kernel.ids import new_id
from shared.testing.tokens import bearer
from tests.sales.conftest import SIGNER, Sales, euros


def step(sales: Sales, quote: Any, verb: str, body: Any = None, **options: Any) -> Any:
    return sales.done(f"/v1/quotes/{quote['id']}/{verb}", body, quote["version"], **options)


def test_a_draft_is_priced_and_carries_its_net_to_the_deal(sales: Sales) -> None:
    deal = sales.deal()
    quote = sales.quote(deal, quantity="3", discount_bp=500, header_discount_bp=1000)
    assert (quote["number"], quote["revision"], quote["is_primary"]) == ("Q-2026-000001", 1, True)
    assert (quote["net_total"], quote["tax_total"]) == (euros("2565.00"), euros("487.35"))
    assert (quote["discount_bp"], quote["margin_bp"]) == (1450, 4152)
    known = sales.get(f"/v1/opportunities/{deal['id']}")
    assert (known["amount"], [line["sku"] for line in known["lines"]]) == (euros("2565.00"), ["RC-500"])


def test_a_second_quote_is_not_the_primary_one(sales: Sales) -> None:
    deal = sales.deal()
    sales.quote(deal)
    second = sales.quote(deal, quantity="9")
    assert second["is_primary"] is False
    assert sales.get(f"/v1/opportunities/{deal['id']}")["amount"] == euros("2000.00")


@pytest.mark.parametrize(("quantity", "problem"), [("0", "quantity-too-fine"), ("1.5", "quantity-too-fine")])
def test_quantities_fit_the_product(sales: Sales, quantity: str, problem: str) -> None:
    deal, product = sales.deal(), sales.product()
    line = {"product_id": product["id"], "quantity": quantity}
    body = {"opportunity_id": deal["id"], "valid_until": "2026-03-31", "lines": [line]}
    no = sales.refused(422, problem, "/v1/quotes", body)
    assert no["errors"][0]["pointer"] == "/lines/0/quantity"


def test_what_has_no_price_or_is_off_sale_cannot_be_quoted(sales: Sales) -> None:
    deal, product = sales.deal(), sales.product()
    line = {"product_id": product["id"], "quantity": "1"}
    body = {"opportunity_id": deal["id"], "valid_until": "2026-03-31", "lines": [line]}
    sales.refused(422, "no-price", "/v1/quotes", body | {"currency": "USD"})
    sales.done(f"/v1/products/{product['id']}/retire", version=1)
    sales.refused(422, "product-not-active", "/v1/quotes", body)


def test_a_deal_without_an_account_takes_no_quote(sales: Sales) -> None:
    body = {"opportunity_id": sales.deal(account_id=None)["id"], "valid_until": "2026-03-31"}
    sales.refused(409, "account-needed", "/v1/quotes", body)


def test_a_quote_without_lines_is_not_submitted(sales: Sales) -> None:
    quote = sales.quote()
    empty = sales.done(f"/v1/quotes/{quote['id']}", {"lines": []}, 1, method="PATCH")
    sales.refused(409, "no-lines", f"/v1/quotes/{quote['id']}/submit", version=empty["version"])


def test_a_high_discount_has_to_be_approved_by_somebody_else(sales: Sales) -> None:
    quote = step(sales, sales.quote(discount_bp=1500), "submit")
    assert (quote["state"], [a["level"] for a in quote["approvals"]]) == ("in_approval", [1])
    sales.refused(403, "own-approval", f"/v1/quotes/{quote['id']}/approve", {}, quote["version"])
    sales.refused(403, "own-approval", f"/v1/quotes/{quote['id']}/reject", {}, quote["version"])
    assert sales.facts("quote.approved") == []
    boss = new_id()
    approved = step(sales, quote, "approve", {"note": "Fine"}, headers=bearer(boss, {"*": "all"}))
    assert (approved["state"], approved["approvals"][0]["by"]) == ("approved", f"user:{boss}")
    assert sales.facts("quote.approved")[0].data["approved_by"] == str(boss)


def test_a_rejected_quote_is_a_draft_again(sales: Sales) -> None:
    quote = step(sales, sales.quote(discount_bp=2000), "submit")
    other = bearer(new_id(), {"*": "all"})
    rejected = step(sales, quote, "reject", {"note": "Too much"}, headers=other)
    assert (rejected["state"], rejected["approvals"][0]["state"]) == ("draft", "rejected")
    cheaper = sales.done(
        f"/v1/quotes/{quote['id']}",
        {"lines": [{"product_id": quote["lines"][0]["product_id"], "quantity": "2"}]},
        rejected["version"],
        method="PATCH",
    )
    assert step(sales, cheaper, "submit")["state"] == "approved"


COMMANDS: dict[str, Any] = {
    "submit": None,
    "approve": {},
    "reject": {},
    "recall": None,
    "send": {"recipients": [{"email": "a@acme.example"}]},
    "revise": {},
}
LEGAL = {
    "draft": ["submit"],
    "in_approval": ["approve", "reject", "recall"],
    "approved": ["send", "recall", "revise"],
    "sent": ["revise"],
    "accepted": [],
    "declined": ["revise"],
    "expired": ["revise"],
    "superseded": [],
}


def in_state(sales: Sales, state: str) -> Any:
    if state == "in_approval":
        return step(sales, sales.quote(discount_bp=2000), "submit")
    quote = sales.quote()
    if state == "draft":
        return quote
    quote = step(sales, quote, "submit")
    if state == "approved":
        return quote
    quote = step(sales, quote, "send", COMMANDS["send"])
    if state == "accepted":
        assert sales.accept(quote).status_code == 200
    if state == "declined":
        assert sales.client.post(f"{quote['recipients'][0]['link']}/decline", json={}).status_code == 200
    if state == "expired":
        sales.pass_time(days=31)
    if state == "superseded":
        step(sales, quote, "revise", {})
    return sales.get(f"/v1/quotes/{quote['id']}")


@pytest.mark.parametrize("state", LEGAL)
def test_every_verb_in_every_state(sales: Sales, state: str) -> None:
    quote = in_state(sales, state)
    assert quote["state"] == state
    told = sales.told()
    for verb, body in COMMANDS.items():
        if verb not in LEGAL[state]:
            answer = sales.send(f"/v1/quotes/{quote['id']}/{verb}", body, quote["version"])
            assert answer.status_code == 409, answer.text
            assert (answer.json["state"], answer.json["allowed"]) == (state, quote["allowed"])
    edited = sales.send(f"/v1/quotes/{quote['id']}", {"payment_days": 14}, quote["version"], method="PATCH")
    assert edited.status_code == (200 if state == "draft" else 409)
    assert sales.told() == told


def test_a_revision_takes_the_place_of_the_one_before(sales: Sales) -> None:
    quote = sales.sent_quote()
    sales.done(
        f"/v1/products/{quote['lines'][0]['product_id']}", {"prices": {"EUR": "900"}}, 1, method="PATCH"
    )
    revised = step(sales, quote, "revise", {"valid_until": "2026-04-30"})
    assert (revised["number"], revised["revision"], revised["state"]) == (quote["number"], 2, "draft")
    assert (revised["is_primary"], revised["net_total"]) == (True, euros("1800.00"))
    assert sales.get(f"/v1/opportunities/{quote['opportunity_id']}")["amount"] == euros("1800.00")
    assert sales.accept(quote).status_code == 409
    assert sales.client.get(quote["recipients"][0]["link"]).status_code == 410
    assert sales.orders() == []


def test_the_link_shows_the_document_and_notes_the_first_look(sales: Sales) -> None:
    quote = sales.sent_quote()
    link = quote["recipients"][0]["link"]
    shown = sales.client.get(link)
    assert (shown.status_code, shown.json["document"]["net_total"]) == (200, euros("2000.00"))
    assert "list_unit" not in shown.text
    assert shown.json["document_sha256"] == quote["document_sha256"]
    sales.pass_time(hours=1)
    sales.client.get(link)
    viewed = [recipient["viewed_at"] for recipient in sales.get(f"/v1/quotes/{quote['id']}")["recipients"]]
    assert viewed == ["2026-03-02T09:00:00+00:00", None]


@pytest.mark.parametrize("token", ["forged", "WzEsMV0.abc"])
def test_a_forged_link_is_unknown(sales: Sales, token: str) -> None:
    assert sales.client.get(f"/public/v1/quote-links/{token}").status_code == 404


def test_the_same_signer_may_repeat_himself_another_one_comes_too_late(sales: Sales) -> None:
    quote = sales.sent_quote()
    first = sales.accept(quote)
    again = sales.accept(quote)
    assert (first.status_code, again.status_code, first.json) == (200, 200, again.json)
    late = sales.accept(quote, recipient=1, signer={"name": "Boss", "email": "boss@acme.example"})
    assert (late.status_code, late.json["type"]) == (409, "/problems/already-accepted")
    assert len(sales.facts("quote.accepted")) == len(sales.orders()) == 1
    assert sales.facts("quote.accepted")[0].data["signer"]["email"] == SIGNER["email"]


def test_who_saw_another_document_does_not_accept_this_one(sales: Sales) -> None:
    quote = sales.sent_quote()
    answer = sales.accept(quote, document_sha256="0" * 64)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/document-changed")
    assert sales.orders() == []


def test_an_offer_holds_to_the_last_moment_of_its_last_day(sales: Sales) -> None:
    quote = sales.sent_quote(valid_until="2026-03-02")
    sales.clock.advance(sales.clock.now().replace(hour=23, minute=59, second=59) - sales.clock.now())
    assert sales.accept(quote).status_code == 200


def test_an_offer_has_ended_at_midnight_also_before_the_timer_runs(sales: Sales) -> None:
    quote = sales.sent_quote(valid_until="2026-03-02")
    sales.clock.advance(sales.clock.now().replace(hour=23, minute=59, second=59) - sales.clock.now())
    sales.service.fire_timers()
    assert sales.facts("quote.expired") == []
    sales.clock.advance(timedelta(seconds=1))
    answer = sales.accept(quote)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/quote-expired")
    sales.service.fire_timers()
    assert sales.get(f"/v1/quotes/{quote['id']}")["state"] == "expired"
    assert len(sales.facts("quote.expired")) == 1
    assert sales.orders() == []


def test_an_approved_quote_that_is_never_sent_expires_too(sales: Sales) -> None:
    quote = step(sales, sales.quote(), "submit")
    sales.pass_time(days=31)
    assert sales.get(f"/v1/quotes/{quote['id']}")["state"] == "expired"


def test_an_expired_offer_cannot_be_sent(sales: Sales) -> None:
    quote = step(sales, sales.quote(valid_until="2026-03-01"), "submit")
    sales.refused(409, "quote-expired", f"/v1/quotes/{quote['id']}/send", COMMANDS["send"], quote["version"])


def test_declining_keeps_the_reason_and_can_be_repeated(sales: Sales) -> None:
    quote = sales.sent_quote()
    link = f"{quote['recipients'][0]['link']}/decline"
    for _ in range(2):
        assert sales.client.post(link, json={"reason": "Too dear"}).status_code == 200
    assert [fact.data["reason"] for fact in sales.facts("quote.declined")] == ["Too dear"]
    assert sales.accept(quote).status_code == 409
    sales.pass_time(days=40)
    assert sales.facts("quote.expired") == []
