"""A foreign ERP that fetches orders by itself and answers over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.erp.conftest import Connector, an_order, order_line

AT = "2026-03-02T10:05:00Z"


@pytest.fixture
def foreign(connect: Callable[..., Connector]) -> Connector:
    return connect(erp_port="pull")


@pytest.fixture
def order() -> dict[str, Any]:
    return an_order(order_line("RC-500", "10", "1000.00"))


def answer(erp: Connector, order: dict[str, Any], kind: str, answer_id: str, **more: Any) -> TestResponse:
    body = {
        "id": answer_id,
        "type": f"order.{kind}",
        "order_id": order["order_id"],
        "occurred_at": AT,
        **more,
    }
    return erp.send("POST", "/v1/answers", body)


def test_answers_become_the_same_facts(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    foreign.call()
    assert foreign.link(order_id)["state"] == "creating"
    assert foreign.documents(order_id) == []
    line_id = order["lines"][0]["line_id"]
    moved = [{"line_id": line_id, "quantity": "6", "serials": ["A-1"]}]
    split = {"line_id": line_id, "accepted": "6", "backordered": "3", "rejected": "1"}
    told = [
        ("received", {"erp_number": "4711"}),
        (
            "partially_accepted",
            {
                "erp_number": "4711",
                "lines": [{**split, "backordered_until": "2026-04-10", "rejected_code": "discontinued"}],
            },
        ),
        ("shipped", {"moved": moved, "carrier": "DHL", "tracking": "00340"}),
        (
            "invoiced",
            {"moved": moved, "invoice_number": "R-1", "amount": {"amount": "714.00", "currency": "EUR"}},
        ),
        ("paid", {"amount": {"amount": "714.00", "currency": "EUR"}}),
    ]
    for number, (kind, more) in enumerate(told, start=1):
        taken = answer(foreign, order, kind, f"a-{number}", **more)
        assert taken.status_code == 200, taken.text
        assert (taken.json["erp_sequence"], taken.json["duplicate"]) == (number, False)
    assert foreign.told(order_id) == [kind for kind, _ in told]
    partial = foreign.fact(order_id, "partially_accepted")
    assert (partial["code"], partial["occurred_at"]) == ("discontinued", AT)
    shipped = foreign.fact(order_id, "shipped")
    assert shipped["shipment_lines"] == [
        {"line_id": line_id, "quantity": "6", "cumulative": "6", "serials": ["A-1"]}
    ]
    assert (shipped["carrier"], shipped["tracking"]) == ("DHL", "00340")
    assert foreign.fact(order_id, "paid")["settled"] is False


def test_an_answer_counts_once_and_its_id_is_taken(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    foreign.call()
    for expected in (False, True):
        taken = answer(foreign, order, "received", "a-1", erp_number="4711")
        assert (taken.status_code, taken.json["duplicate"]) == (200, expected)
    other = answer(foreign, order, "received", "a-1", erp_number="4712")
    assert (other.status_code, other.json["type"].rsplit("/")[-1]) == (409, "answer-differs")
    assert foreign.told(order_id) == ["received"]
    assert foreign.link(order_id)["erp_number"] == "4711"


def test_an_acceptance_implies_the_receipt(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    line = {"line_id": order["lines"][0]["line_id"], "accepted": "10"}
    assert answer(foreign, order, "accepted", "a-1", erp_number="4711", lines=[line]).status_code == 200
    assert foreign.told(order_id) == ["received", "accepted"]


def test_an_answer_that_comes_too_early_may_come_again(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    line_id = order["lines"][0]["line_id"]
    shipment = {"moved": [{"line_id": line_id, "quantity": "10"}]}
    early = answer(foreign, order, "shipped", "a-2", **shipment)
    assert (early.status_code, early.json["state"]) == (409, "queued")
    answer(
        foreign, order, "accepted", "a-1", erp_number="4711", lines=[{"line_id": line_id, "accepted": "10"}]
    )
    assert answer(foreign, order, "shipped", "a-2", **shipment).json["duplicate"] is False
    assert foreign.told(order_id) == ["received", "accepted", "shipped"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"accepted": "9"}, "10 were ordered, 9 answered"),
        ({"accepted": "9", "backordered": "1"}, "needs a date"),
        ({"accepted": "9", "rejected": "1"}, "needs a code"),
    ],
)
def test_lines_have_to_add_up(
    foreign: Connector, order: dict[str, Any], line: dict[str, str], says: str
) -> None:
    order_id = foreign.submit(order)
    lines = [{"line_id": order["lines"][0]["line_id"], **line}]
    refused = answer(foreign, order, "accepted", "a-1", erp_number="4711", lines=lines)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/lines")
    assert says in refused.json["detail"]
    assert foreign.told(order_id) == []
    assert foreign.link(order_id)["lines"][0]["accepted"] == "0"


@pytest.mark.parametrize(
    ("kind", "more", "pointer"),
    [
        ("accepted", {"erp_number": "1"}, "/lines"),
        ("rejected", {"code": "no"}, "/text"),
        ("eaten", {}, "/type"),
        ("received", {"colour": "red"}, "/colour"),
    ],
)
def test_answers_are_checked(
    foreign: Connector, order: dict[str, Any], kind: str, more: dict[str, Any], pointer: str
) -> None:
    order_id = foreign.submit(order)
    refused = answer(foreign, order, kind, "a-1", **more)
    assert refused.status_code == 422, refused.text
    assert pointer in [error["pointer"] for error in refused.json["errors"]]
    assert foreign.told(order_id) == []


def test_an_amount_in_another_currency_is_refused(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    lines = [{"line_id": order["lines"][0]["line_id"], "accepted": "10"}]
    answer(foreign, order, "accepted", "a-1", erp_number="4711", lines=lines)
    refused = answer(foreign, order, "paid", "a-2", amount={"amount": "1.00", "currency": "USD"})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/amount/currency")
    assert foreign.told(order_id) == ["received", "accepted"]


def test_an_unknown_order_cannot_be_answered(foreign: Connector) -> None:
    assert answer(foreign, an_order(), "received", "a-1").status_code == 404


def test_a_cancellation_waits_for_the_foreign_answer(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    foreign.call()
    foreign.ask_to_cancel(order)
    foreign.call()
    assert (foreign.link(order_id)["state"], foreign.told(order_id)) == ("cancelling", [])
    refused = answer(foreign, order, "rejected", "a-1", code="packed", text="It is packed")
    assert (refused.json["state"], foreign.told(order_id)) == ("created", ["rejected"])
    foreign.ask_to_cancel(order, request_no=3)
    ended = answer(foreign, order, "cancelled", "a-2", code="cancelled_on_request", text="Gone")
    assert (ended.json["state"], foreign.told(order_id)) == ("cancelled", ["rejected", "cancelled"])
    assert foreign.fact(order_id, "cancelled")["request_no"] == 3


def test_a_refusal_of_the_order(foreign: Connector, order: dict[str, Any]) -> None:
    order_id = foreign.submit(order)
    foreign.call()
    assert (
        answer(foreign, order, "rejected", "a-1", code="no_credit", text="Sorry").json["state"] == "rejected"
    )
    assert foreign.fact(order_id, "rejected")["lines"][0]["rejected_code"] == "no_credit"
