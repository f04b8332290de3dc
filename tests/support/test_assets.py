"""Assets from shipments, and who pays when one fails."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.support.warranty import add_months, decide_cover, warranty_end

LINE = "018f3b1e-0000-7000-8000-00000000010b"


def shipment(cumulative: str, serials: list[str], quantity: str | None = None) -> list[dict[str, Any]]:
    return [
        {"line_id": LINE, "quantity": quantity or cumulative, "cumulative": cumulative, "serials": serials}
    ]


def assets(support, staff) -> list[dict[str, Any]]:
    return support.client.get("/v1/assets?sort=created_at&limit=200", headers=staff).json["items"]


def test_each_serial_is_an_asset_under_warranty_from_the_day_it_was_shipped(support, staff, tell):
    tell("order.shipped", shipment_lines=shipment("2", ["A1", "A2"]))
    rows = assets(support, staff)
    assert sorted(row["serial"] for row in rows) == ["A1", "A2"]
    assert {(row["warranty_starts_on"], row["warranty_ends_on"]) for row in rows} == {
        ("2026-03-02", "2028-03-01")
    }
    assert [fact.type for fact in support.facts()] == ["crm.support.asset.registered.v1"] * 2


def test_a_shipment_heard_twice_registers_nothing_twice(support, staff, tell):
    for _ in range(2):
        tell("order.shipped", shipment_lines=shipment("2", ["A1", "A2"]))
    assert len(assets(support, staff)) == 2


def test_without_serials_there_is_an_asset_a_unit_up_to_the_cumulative_quantity(support, staff, tell):
    tell("order.shipped", shipment_lines=shipment("2", []))
    tell("order.shipped", shipment_lines=shipment("5", [], quantity="3"))
    tell("order.shipped", shipment_lines=shipment("2", []))
    assert len(assets(support, staff)) == 5


def test_services_are_no_assets(support, staff, tell):
    care = "018f3b1e-0000-7000-8000-0000000002a1"
    tell(
        "order.shipped",
        shipment_lines=[{"line_id": care, "quantity": "1", "cumulative": "1", "serials": []}],
    )
    assert assets(support, staff) == []


def test_cover_is_decided_on_the_day_of_the_report(support, staff, tell):
    tell("order.shipped", shipment_lines=shipment("1", ["A1"]))
    (asset,) = assets(support, staff)
    address = f"/v1/assets/{asset['id']}/coverage"
    last_day = support.client.get(f"{address}?reported_at=2028-03-01T10:00:00Z", headers=staff).json
    day_after = support.client.get(f"{address}?reported_at=2028-03-02T10:00:00Z", headers=staff).json
    assert (last_day["basis"], last_day["parts"], last_day["travel"]) == ("warranty", True, False)
    assert (day_after["basis"], day_after["parts"]) == ("none", False)


def test_a_contract_in_force_adds_travel_and_covers_what_the_warranty_does_not(support, staff, tell):
    tell("opportunity.won")
    tell("order.acknowledged")
    tell("order.shipped", shipment_lines=shipment("1", ["A1"]))
    (asset,) = assets(support, staff)
    cover = support.client.get(
        f"/v1/assets/{asset['id']}/coverage?reported_at=2026-06-01T10:00:00Z", headers=staff
    ).json
    assert (cover["basis"], cover["travel"]) == ("warranty", True)
    assert cover["contract_id"] is not None


def test_an_asset_by_hand_needs_a_free_serial_and_can_be_retired_once(support, staff):
    body = {
        "product_id": "018f3b1e-0000-7000-8000-00000000010c",
        "name": "Controller",
        "serial": "S1",
        "account_id": "018f3b1e-0000-7000-8000-000000000104",
        "shipped_on": "2026-01-31",
        "warranty_months": 1,
    }
    first = support.client.post("/v1/assets", json=body, headers=staff)
    assert (first.status_code, first.json["warranty_ends_on"]) == (201, "2026-02-27")
    assert (
        support.client.post("/v1/assets", json=body, headers=staff).json["type"] == "/problems/serial-taken"
    )
    address = f"/v1/assets/{first.json['id']}/retire"
    retired = support.client.post(address, headers={**staff, "If-Match": first.headers["ETag"]})
    assert retired.json["status"] == "retired"
    again = support.client.post(address, headers={**staff, "If-Match": retired.headers["ETag"]})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 12, 15), 12, date(2027, 12, 15)),
    ],
)
def test_months_are_added_to_the_same_day_or_the_last_of_the_month(day, months, later):
    assert add_months(day, months) == later


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 240), st.integers(0, 240))
def test_more_months_never_end_earlier(day, fewer, more):
    assert add_months(day, fewer) <= add_months(day, fewer + more)


def test_no_warranty_has_no_end():
    assert warranty_end(date(2026, 1, 1), 0) is None
    assert warranty_end(None, 12) is None
    assert decide_cover(date(2026, 1, 1), None, None, None).reason == (
        "There is no warranty and no contract covers it."
    )
