"""The company's settings and exchange rates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.identity.conftest import Identity
from tests.identity.test_users import problem


def rate(identity: Identity, value: str, day: str = "2026-03-02", currency: str = "USD") -> Any:
    return identity.done(
        "POST", "/v1/exchange-rates", {"currency": currency, "rate": value, "valid_from": day}
    )


def test_settings_are_told_to_everybody(identity: Identity) -> None:
    company = identity.get("/v1/organisation")
    changes = {
        "name": "Northwind Automation GmbH",
        "base_currency": "CHF",
        "company_zone": "Europe/Zurich",
        "fiscal_year_start_month": 7,
    }
    edited = identity.done("PATCH", "/v1/organisation", changes, version=company["version"])
    assert {name: edited[name] for name in changes} == changes
    fact = identity.facts("organisation.changed")[-1]
    assert fact.data == {"organisation_id": company["id"], **changes}
    identity.done("PATCH", "/v1/organisation", changes, version=edited["version"])
    assert len(identity.facts("organisation.changed")) == 2


@pytest.mark.parametrize(
    "wrong", [{"base_currency": "XXX"}, {"company_zone": "Berlin"}, {"fiscal_year_start_month": 13}]
)
def test_settings_are_checked(identity: Identity, wrong: dict[str, Any]) -> None:
    answer = identity.send("PATCH", "/v1/organisation", wrong, version=1)
    assert problem(answer) == (422, "invalid")


def test_users_live_in_the_companys_zone_unless_they_say_otherwise(identity: Identity) -> None:
    identity.done("PATCH", "/v1/organisation", {"company_zone": "Asia/Tokyo"}, version=1)
    assert identity.invited("Dana")["time_zone"] == "Asia/Tokyo"
    assert identity.invited("Eve", time_zone="Europe/Rome")["time_zone"] == "Europe/Rome"


def test_the_rates_of_a_currency_are_one_series(identity: Identity) -> None:
    first = rate(identity, "0.9175")
    rate(identity, "0.92", "2026-03-03")
    rate(identity, "0.918")
    rate(identity, "0.0061", currency="JPY")
    facts = identity.facts("exchange_rate.published")
    dollars = [fact for fact in facts if fact.data["currency"] == "USD"]
    assert len({fact.subject for fact in dollars}) == 1
    assert [fact.version for fact in dollars] == [1, 2, 3]
    assert dollars[0].data == {
        "exchange_rate_id": dollars[0].subject,
        "currency": "USD",
        "base_currency": "EUR",
        "rate": "0.9175",
        "valid_from": "2026-03-02",
        "published_at": first["published_at"],
    }
    assert identity.get(f"/v1/exchange-rates/{first['id']}") == first
    listed = identity.get("/v1/exchange-rates", currency="USD")["items"]
    assert [(item["valid_from"], item["rate"]) for item in listed] == [
        ("2026-03-03", "0.92"),
        ("2026-03-02", "0.918"),
        ("2026-03-02", "0.9175"),
    ]
    assert identity.get("/v1/exchange-rates", valid_from_lte="2026-03-02", currency="JPY")["items"]


def test_the_base_currency_has_no_rate(identity: Identity) -> None:
    body = {"currency": "EUR", "rate": "1", "valid_from": "2026-03-02"}
    assert problem(identity.send("POST", "/v1/exchange-rates", body)) == (422, "rate-of-base-currency")
    assert identity.facts("exchange_rate.published") == []


@pytest.mark.parametrize("wrong", [{"rate": "0"}, {"rate": "-1"}, {"rate": "1e3"}, {"currency": "XXX"}])
def test_rates_are_checked(identity: Identity, wrong: dict[str, str]) -> None:
    body = {"currency": "USD", "rate": "1.1", "valid_from": "2026-03-02", **wrong}
    assert problem(identity.send("POST", "/v1/exchange-rates", body)) == (422, "invalid")


def test_who_may_only_read_settings_cannot_change_them(identity: Identity) -> None:
    headers = identity.headers(identity.user("Rep", role_names=["sales_rep"])["id"])
    assert identity.get("/v1/organisation", headers)["name"] == "Our company"
    refused = identity.send("PATCH", "/v1/organisation", {"name": "Mine"}, version=1, headers=headers)
    assert (refused.status_code, refused.json["permission"]) == (403, "organisation.edit")
