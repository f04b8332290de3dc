"""Permissions, lists and refusals of the connector's API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from shared.settings import SettingsError
from shared.testing.tokens import bearer
from tests.erp.conftest import Connector, an_order

UNKNOWN = "018f3b1e-0000-7000-8000-00000000dead"


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "/v1/links", "erp_link.read"),
        ("GET", "/v1/mappings/tax", "erp_mapping.read"),
        ("GET", "/v1/events", "erp_event.read"),
        ("GET", "/v1/demo-erp/documents", "demo_erp.read"),
        ("GET", "/v1/demo-erp/scripts", "demo_erp.read"),
    ],
)
def test_each_door_asks_for_its_own_permission(
    erp: Connector, method: str, path: str, permission: str
) -> None:
    def status(permissions: dict[str, str] | None) -> int:
        headers = {} if permissions is None else bearer(uuid.uuid4(), permissions)
        return erp.service.client.open(path, method=method, headers=headers).status_code

    assert status(None) == 401
    assert status({"order.read": "all"}) == 403
    assert status({permission: "all"}) == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/v1/links/{UNKNOWN}/resend", {"reason": "x"}),
        (f"/v1/links/{UNKNOWN}/reject", {"reason": "x"}),
        ("/v1/answers", {}),
        ("/v1/demo-erp/scripts", {"when": {"field": "any"}, "action": "reject"}),
    ],
)
def test_a_reader_changes_nothing(erp: Connector, path: str, body: dict[str, Any]) -> None:
    reader = bearer(uuid.uuid4(), {"erp_link.read": "all", "demo_erp.read": "all"})
    assert erp.service.client.post(path, json=body, headers=reader | {"If-Match": '"1"'}).status_code == 403


def test_links_are_found_by_state_customer_and_number(erp: Connector) -> None:
    acme, globex = an_order(), an_order()
    globex["account"] = {**globex["account"], "name": "Globex AG"}
    erp.submit(acme)
    erp.call()
    erp.submit(globex)

    def found(**query: str) -> list[str]:
        return [link["id"] for link in erp.get("/v1/links", **query)["items"]]

    assert found() == [globex["order_id"], acme["order_id"]]
    assert found(sort="created_at") == [acme["order_id"], globex["order_id"]]
    assert found(state="queued") == found(q="glob") == [globex["order_id"]]
    assert found(q="SO-2026") == found(q=acme["number"]) == found(state="accepted") == [acme["order_id"]]
    assert found(account_id=acme["account"]["id"], state="queued") == []
    (row,) = erp.get("/v1/links", state="accepted", fields="number,gross_total,erp_sequence")["items"]
    assert row == {
        "number": acme["number"],
        "gross_total": {"amount": "29280.88", "currency": "EUR"},
        "erp_sequence": 2,
    }


def test_a_link_of_another_order_is_not_found(erp: Connector) -> None:
    missing = erp.send("GET", f"/v1/links/{uuid.uuid4()}")
    assert (missing.status_code, missing.json["type"].rsplit("/")[-1]) == (404, "not-found")


def test_scripts_are_listed_used_up_and_taken_back(erp: Connector) -> None:
    script = erp.script("reject", {"field": "gross_at_least", "value": "29280.88"}, times=1)
    assert (script["on"], script["remaining"], script["parameters"]["code"]) == ("confirm", 1, "credit_limit")
    order_id = erp.submit()
    erp.call()
    assert erp.link(order_id)["state"] == "rejected"
    (used,) = erp.get("/v1/demo-erp/scripts")["items"]
    assert used["remaining"] == 0
    assert erp.send("DELETE", f"/v1/demo-erp/scripts/{script['id']}").status_code == 204
    assert erp.send("DELETE", f"/v1/demo-erp/scripts/{script['id']}").status_code == 404
    assert erp.get("/v1/demo-erp/scripts")["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"when": {"field": "sku"}, "action": "reject"}, "/when/value"),
        ({"when": {"field": "any", "value": "x"}, "action": "reject"}, "/when/value"),
        ({"when": {"field": "gross_at_least", "value": "much"}, "action": "reject"}, "/when/value"),
        ({"when": {"field": "any"}, "action": "explode"}, "/action"),
        (
            {"when": {"field": "any"}, "action": "slow", "parameters": {"seconds": "31"}},
            "/parameters/seconds",
        ),
        ({"when": {"field": "any"}, "action": "slow", "times": 0}, "/times"),
    ],
)
def test_scripts_are_checked(erp: Connector, body: dict[str, Any], pointer: str) -> None:
    refused = erp.send("POST", "/v1/demo-erp/scripts", body)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, pointer)


def test_settling_for_less_than_the_request_limit_stops_the_start(connect: Callable[..., Connector]) -> None:
    with pytest.raises(SettingsError, match="CRM_ERP_SETTLE_SECONDS must not be less"):
        connect(erp_settle_seconds=1.0, erp_request_seconds=2.0)


def test_nobody_scripts_an_erp_in_production(connect: Callable[..., Connector]) -> None:
    erp = connect(environment="production")
    refused = erp.send("POST", "/v1/demo-erp/scripts", {"when": {"field": "any"}, "action": "reject"})
    assert (refused.status_code, refused.json["type"].rsplit("/")[-1]) == (403, "only-for-trials")
    assert erp.get("/v1/demo-erp/scripts")["items"] == []


def test_a_script_fits_only_the_orders_it_names(erp: Connector) -> None:
    erp.script("reject", {"field": "customer", "value": "globex"})
    erp.script("reject", {"field": "sku", "value": "RC-501"})
    erp.script("reject", {"field": "gross_at_least", "value": "29280.89"})
    order_id = erp.submit()
    erp.script("reject", {"field": "reference", "value": str(uuid.uuid4())})
    erp.call()
    assert erp.link(order_id)["state"] == "accepted"
