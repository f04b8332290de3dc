"""Products, tax rates and pipelines: what deals and quotes stand on."""

from __future__ import annotations

from typing import Any

import pytest

from services.sales.wiring import SERVICE
from tests.sales.conftest import Sales, euros

STAGE = {"key": "only", "name": "Only", "probability_bp": 5000, "forecast_category": "pipeline"}


def test_a_product_tells_all_of_it_with_its_prices(sales: Sales) -> None:
    product = sales.product(prices={"USD": "1100.5", "EUR": "1000"}, warranty_months=24)
    assert (product["state"], product["unit"]) == ("active", "C62")
    (fact,) = sales.facts("product.changed")
    assert fact.data["prices"] == [
        {"scope": "standard", "list_unit": {"amount": "1000", "currency": "EUR"}},
        {"scope": "standard", "list_unit": {"amount": "1100.5", "currency": "USD"}},
    ]
    sales.refused(409, "sku-taken", "/v1/products", {"sku": "RC-500", "name": "Again"})


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"prices": {"EUR": "1.0000001"}}, "/prices/EUR/value"),
        ({"prices": {"EUR": "-1"}}, "/prices/EUR/value"),
        ({"prices": {"XXX": "1"}}, "/prices/XXX/key"),
        ({"unit": "piece"}, "/unit"),
        ({"tax_code": "19 %"}, "/tax_code"),
        ({"standard_cost": {"amount": "1.005", "currency": "EUR"}}, "/standard_cost/amount"),
        ({"quantity_decimals": 4}, "/quantity_decimals"),
    ],
)
def test_what_a_product_cannot_be(sales: Sales, values: dict[str, Any], pointer: str) -> None:
    answer = sales.send("/v1/products", {"sku": "X", "name": "X", **values})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


LEGAL = {"draft": ["edit", "activate"], "active": ["edit", "retire"], "retired": []}


@pytest.mark.parametrize("state", LEGAL)
def test_every_verb_of_a_product_in_every_state(sales: Sales, state: str) -> None:
    product = sales.product(state="draft" if state == "draft" else "active")
    if state == "retired":
        product = sales.done(f"/v1/products/{product['id']}/retire", version=1)
    assert (product["state"], product["allowed"]) == (state, LEGAL[state])
    told = sales.told()
    path = f"/v1/products/{product['id']}"
    for verb in ("activate", "retire"):
        if verb not in LEGAL[state]:
            sales.refused(409, "illegal-state", f"{path}/{verb}", version=product["version"])
    edited = sales.send(path, {"name": product["name"]}, product["version"], method="PATCH")
    assert edited.status_code == (200 if "edit" in LEGAL[state] else 409)
    assert sales.told() == told


def test_tax_rates_are_set_for_documents_to_come(sales: Sales) -> None:
    quote = sales.quote()
    assert sales.done("/v1/tax-rates/standard", {"rate_bp": 2000}, method="PUT")["rate_bp"] == 2000
    assert sales.get(f"/v1/quotes/{quote['id']}")["tax_total"] == euros("380.00")
    assert sales.quote()["tax_total"] == euros("400.00")
    assert sales.done("/v1/tax-rates/at20", {"rate_bp": 2000}, method="PUT")["code"] == "at20"


@pytest.mark.parametrize("code", ["At20", "19 %", "a" * 41, "ä", "1st"])
def test_odd_tax_codes_are_refused(sales: Sales, code: str) -> None:
    answer = sales.send(f"/v1/tax-rates/{code}", {"rate_bp": 2000}, method="PUT")
    assert answer.status_code == (404 if len(code) > 40 else 422)
    assert {rate["code"] for rate in sales.get("/v1/tax-rates")["items"]} == {"standard", "reduced", "zero"}


def test_a_product_whose_tax_code_has_no_rate_cannot_be_quoted(sales: Sales) -> None:
    sales.product(tax_code="at20")
    deal = sales.deal()
    product = sales.get("/v1/products")["items"][0]
    line = {"product_id": product["id"], "quantity": "1"}
    body = {"opportunity_id": deal["id"], "valid_until": "2026-03-31", "lines": [line]}
    sales.refused(422, "unknown-tax-code", "/v1/quotes", body)


def test_the_default_pipeline_is_there_once_the_bus_process_has_started(sales: Sales) -> None:
    (pipeline,) = sales.get("/v1/pipelines")["items"]
    assert (pipeline["name"], pipeline["state"], pipeline["win_requires"]) == (
        "Standard",
        "active",
        "nothing",
    )
    assert [stage["key"] for stage in pipeline["stages"]] == [
        "initiation", "identification", "qualification", "rfp_received", "quotation_sent", "final",
    ]  # fmt: skip
    (fact,) = sales.facts("pipeline.changed")
    assert (fact.data["state"], [stage["position"] for stage in fact.data["stages"]]) == (
        "active",
        [1, 2, 3, 4, 5, 6],
    )
    sales.done(f"/v1/pipelines/{pipeline['id']}/archive", version=pipeline["version"])
    sales.pass_time(days=1)
    sales.refused(409, "no-active-pipeline", "/v1/opportunities", {"name": "x", "close_date": "2026-06-30"})


def test_a_new_version_takes_the_place_of_the_old_one_and_deals_stay_in_theirs(sales: Sales) -> None:
    deal = sales.deal()
    (old,) = sales.get("/v1/pipelines")["items"]
    draft = sales.done("/v1/pipelines", {"name": "Standard", "stages": [STAGE]})
    assert (draft["pipeline_version"], draft["state"], draft["allowed"]) == (2, "draft", ["edit", "publish"])
    edited = sales.done(f"/v1/pipelines/{draft['id']}", {"on_accept": "ask_owner"}, 1, method="PATCH")
    published = sales.done(f"/v1/pipelines/{draft['id']}/publish", version=edited["version"])
    assert published["allowed"] == ["archive"]
    assert sales.get(f"/v1/pipelines/{old['id']}")["state"] == "archived"
    assert [fact.data["state"] for fact in sales.facts("pipeline.changed")] == [
        "active",
        "archived",
        "active",
    ]
    assert sales.get(f"/v1/opportunities/{deal['id']}")["pipeline_id"] == old["id"]
    assert sales.deal()["stage"] == "only"
    no = sales.send(
        f"/v1/pipelines/{draft['id']}", {"on_accept": "win"}, published["version"], method="PATCH"
    )
    assert (no.status_code, no.json["state"]) == (409, "active")


@pytest.mark.parametrize(
    "stages", [[STAGE, STAGE], [{**STAGE, "key": "won"}], [{**STAGE, "moves_to": ["nowhere"]}]]
)
def test_stages_have_names_of_their_own(sales: Sales, stages: Any) -> None:
    sales.refused(422, "stage-keys-clash", "/v1/pipelines", {"name": "Odd", "stages": stages})


def test_every_timer_that_is_set_has_a_handler() -> None:
    assert set(SERVICE.timers) == {
        "default_pipeline", "lead_reminder", "lead_waiting", "activity_missed", "quote_expiry",
        "order_receipt_due", "order_answer_due",
    }  # fmt: skip
