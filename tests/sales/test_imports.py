"""History from elsewhere: rows with verdicts, once, with nothing that acts on the world."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from shared.testing.tokens import bearer
from tests.sales.conftest import Sales, euros

NDJSON = "application/x-ndjson"
OWNER = str(uuid.UUID(int=1))
WON = {"status": "won", "close_date": "2017-03-01", "amount": euros("1054.00"), "created_on": "2016-10-20"}


def load(sales: Sales, kind: str, *rows: Any, **query: Any) -> list[dict[str, Any]]:
    """Import rows (or raw lines); the verdicts."""
    body = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    answer = sales.client.post(
        f"/v1/imports/{kind}", data=body, query_string=query, headers=sales.admin, content_type=NDJSON
    )
    assert (answer.status_code, answer.mimetype) == (200, NDJSON), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def verdicts(found: list[dict[str, Any]]) -> list[str]:
    return [verdict["verdict"] for verdict in found]


def deal_row(external_id: str, **values: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "name": f"Deal {external_id}",
        "owner_id": OWNER,
        "account_external_id": "acme",
        **values,
    }


@pytest.fixture
def stocked(sales: Sales) -> Sales:
    """Sales with one imported account and one product."""
    assert verdicts(load(sales, "accounts", {"external_id": "acme", "name": "Acme", "country": "US"})) == [
        "created"
    ]
    product = {"external_id": "p", "sku": "GTX-PRO", "name": "GTX Pro", "prices": {"EUR": "4821"}}
    assert verdicts(load(sales, "products", product)) == ["created"]
    return sales


def test_a_won_deal_is_told_as_it_happened_then(stocked: Sales) -> None:
    (verdict,) = load(stocked, "opportunities", deal_row("o1", product_sku="GTX-PRO", **WON))
    assert verdict["verdict"] == "created"
    deal = stocked.get(f"/v1/opportunities/{verdict['id']}")
    assert (deal["status"], deal["amount"], deal["close_date"]) == ("won", euros("1054.00"), "2017-03-01")
    (created,), (won,) = stocked.facts("opportunity.created"), stocked.facts("opportunity.won")
    assert (created.data["effective_at"], created.data["origin"]) == ("2016-10-20T12:00:00Z", "import")
    assert (won.data["effective_at"], won.data["origin"]) == ("2017-03-01T12:00:00Z", "import")
    assert (won.data["order_id"], won.data["lines"][0]["sku"]) == (None, "GTX-PRO")
    assert won.data["lines"][0]["net"] == euros("1054.00")
    assert (created.version, won.version) == (1, 2)


def test_nothing_acts_on_the_world(stocked: Sales) -> None:
    rows = [deal_row("o1", **WON), deal_row("o2", status="lost", close_date="2017-01-05"), deal_row("o3")]
    load(stocked, "opportunities", *rows)
    kinds = Counter(stocked.told())
    assert set(kinds) == {
        "pipeline.changed", "account.created", "product.changed",
        "opportunity.created", "opportunity.won", "opportunity.lost",
    }  # fmt: skip
    assert stocked.orders() == []
    with stocked.service.runtime.database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM timers WHERE state = 'pending'")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM outside_commands")).scalar() == 0


def test_a_later_stage_is_a_move_of_its_own(stocked: Sales) -> None:
    load(stocked, "opportunities", deal_row("o1", stage="qualification", created_on="2016-11-01"))
    (moved,) = stocked.facts("opportunity.stage_changed")
    assert (moved.data["stage"], moved.data["previous_stage"]) == ("qualification", "initiation")
    assert (moved.data["effective_at"], moved.data["close_date"]) == ("2016-11-01T12:00:00Z", "2017-01-30")


def test_an_open_deal_without_an_account_is_kept_with_a_warning(stocked: Sales) -> None:
    (verdict,) = load(stocked, "opportunities", deal_row("o1", account_external_id=None))
    assert (verdict["verdict"], "no account" in verdict["reason"]) == ("warned", True)
    assert stocked.get(f"/v1/opportunities/{verdict['id']}")["account_id"] is None


REFUSED = [
    (deal_row("x", **WON, account_external_id=None), "Say which account buys before you win the deal."),
    (deal_row("x", account_external_id="nobody"), "There is no account nobody."),
    (deal_row("x", product_sku="nothing"), "There is no product nothing."),
    (deal_row("x", stage="nowhere"), None),
    (deal_row("x", status="won"), "/close_date: A closed deal has a close date."),
    (deal_row("x", status="won", created_on="2017-03-02", close_date="2017-03-01"), None),
    (deal_row("x", close_date="1999-01-01"), None),
    (deal_row("x", amount={"amount": "1.00", "currency": "USD"}), None),
    (deal_row("x", amount=12), None),
    (deal_row("x", lost_reason="boredom"), None),
    (deal_row("x", colour="red"), "/colour: Unknown field."),
    ({"external_id": "x"}, None),
    (deal_row("x", name="a\u0000b"), "NUL characters are not allowed."),
    ('{"external_id": ', "The line is not a JSON object."),
    ("[]", None),
    ("\x00", "The line is not a JSON object."),
]  # fmt: skip


def test_bad_rows_fail_alone(stocked: Sales) -> None:
    rows = [row for bad, _ in REFUSED for row in (bad, deal_row(f"good {id(bad)}"))]
    found = load(stocked, "opportunities", *rows)
    assert verdicts(found) == ["refused", "created"] * len(REFUSED)
    assert [verdict["row"] for verdict in found] == list(range(1, len(rows) + 1))
    for (_, reason), verdict in zip(REFUSED, found[::2], strict=True):
        assert verdict["id"] is None
        assert verdict["reason"]
        assert reason in (None, verdict["reason"])
    assert len(stocked.facts("opportunity.created")) == len(REFUSED)


def test_a_row_that_the_database_refuses_fails_alone(sales: Sales) -> None:
    rows = [{"external_id": f"p{n}", "sku": f"S{n}", "name": "x"} for n in range(4)]
    sales.product("S9", external_id="p9")
    # The SKU belongs to S9 already: the database says so, not the code.
    rows[2] = {"external_id": "p9", "sku": "S0", "name": "x"}
    found = load(sales, "products", *rows)
    assert verdicts(found) == ["created", "created", "refused", "created"]
    assert found[2]["reason"] == "The database refuses the row: a value is taken, or does not fit."


def test_the_same_rows_again_change_nothing(stocked: Sales) -> None:
    rows = [
        deal_row("o1", product_sku="GTX-PRO", **WON),
        deal_row("o2", status="lost", close_date="2017-01-05", created_on="2016-12-01"),
        deal_row("o3", stage="qualification", product_sku="GTX-PRO"),
        deal_row("o4", account_external_id=None),
    ]
    first = load(stocked, "opportunities", *rows)
    told = stocked.told()
    second = load(stocked, "opportunities", *rows)
    assert verdicts(second) == ["unchanged"] * 4
    assert [v["id"] for v in second] == [v["id"] for v in first]
    assert stocked.told() == told
    assert verdicts(load(stocked, "accounts", {"external_id": "acme", "name": "Acme", "country": "US"})) == [
        "unchanged"
    ]


def test_the_same_row_twice_in_one_file_is_one_deal(stocked: Sales) -> None:
    assert verdicts(load(stocked, "opportunities", deal_row("o1"), deal_row("o1"))) == [
        "created",
        "unchanged",
    ]


def test_an_open_deal_goes_on_where_the_file_says(stocked: Sales) -> None:
    load(stocked, "opportunities", deal_row("o1", account_external_id=None))
    (moved,) = load(stocked, "opportunities", deal_row("o1", stage="qualification", amount=euros("5.00")))
    assert moved["verdict"] == "updated"
    (won,) = load(stocked, "opportunities", deal_row("o1", **WON | {"created_on": None}))
    assert won["verdict"] == "updated"
    deal = stocked.get(f"/v1/opportunities/{won['id']}")
    assert (deal["status"], deal["amount"], deal["account_name"]) == ("won", euros("1054.00"), "Acme")
    assert stocked.orders() == []


def test_what_the_file_does_not_say_stays(stocked: Sales) -> None:
    (verdict,) = load(stocked, "opportunities", deal_row("o1", amount=euros("5.00")))
    (again,) = load(stocked, "opportunities", deal_row("o1", account_external_id=None, amount=None))
    assert again["verdict"] == "unchanged"
    deal = stocked.get(f"/v1/opportunities/{verdict['id']}")
    assert (deal["account_name"], deal["amount"]) == ("Acme", euros("5.00"))


def test_a_deal_that_is_closed_here_is_not_rewritten(stocked: Sales) -> None:
    load(stocked, "opportunities", deal_row("o1", **WON))
    told = stocked.told()
    (other,) = load(stocked, "opportunities", deal_row("o1", **WON | {"amount": euros("1.00")}))
    assert (other["verdict"], "differs in amount" in other["reason"]) == ("refused", True)
    (lost,) = load(stocked, "opportunities", deal_row("o1", **WON | {"status": "lost"}))
    assert (lost["verdict"], "differs in status" in lost["reason"]) == ("refused", True)
    assert stocked.told() == told


def test_a_dry_run_tells_the_verdicts_and_keeps_nothing(stocked: Sales) -> None:
    told = stocked.told()
    rows = [
        {"external_id": "child", "name": "Child", "parent_external_id": "new"},
        {"external_id": "new", "name": "N"},
    ]
    assert verdicts(load(stocked, "accounts", *rows, dry_run="true")) == ["created", "created"]
    assert verdicts(load(stocked, "opportunities", deal_row("o1", **WON), dry_run="true")) == ["created"]
    assert stocked.told() == told
    assert stocked.get("/v1/opportunities")["items"] == []
    assert verdicts(load(stocked, "opportunities", deal_row("o1", **WON))) == ["created"]


def test_parents_may_come_after_their_children(sales: Sales) -> None:
    rows = [
        {"external_id": "c", "name": "C", "parent_external_id": "b"},
        {"external_id": "b", "name": "B", "parent_external_id": "a"},
        {"external_id": "a", "name": "A"},
        {"external_id": "d", "name": "D", "parent_external_id": "nobody"},
    ]
    found = load(sales, "accounts", *rows)
    assert verdicts(found) == ["created", "created", "created", "warned"]
    parents = {a["name"]: a["parent_id"] for a in sales.get("/v1/accounts")["items"]}
    assert parents == {"A": None, "B": found[2]["id"], "C": found[1]["id"], "D": None}
    ring = load(sales, "accounts", {"external_id": "a", "name": "A", "parent_external_id": "c"})
    assert verdicts(ring) == ["refused"]


def test_an_imported_account_is_booked_on_its_day(sales: Sales) -> None:
    load(sales, "accounts", {"external_id": "a", "name": "A", "created_on": "1996-05-04", "country": "US"})
    (fact,) = sales.facts("account.created")
    assert (fact.data["origin"], fact.data["effective_at"]) == ("import", "1996-05-04T12:00:00Z")
    assert fact.data["addresses"][0]["country"] == "US"


def test_a_product_is_known_by_its_sku_too(sales: Sales) -> None:
    sales.product("GTX-PRO", name="Old name")
    row = {"external_id": "p", "sku": "GTX-PRO", "name": "GTX Pro"}
    assert verdicts(load(sales, "products", row)) == ["updated"]
    assert verdicts(load(sales, "products", row)) == ["unchanged"]
    (product,) = sales.get("/v1/products")["items"]
    assert (product["name"], product["external_id"]) == ("GTX Pro", "p")


def test_many_chunks_are_one_answer(stocked: Sales) -> None:
    found = load(stocked, "opportunities", *(deal_row(f"o{n}", **WON) for n in range(400)))
    assert Counter(verdicts(found)) == {"created": 400}
    assert [verdict["external_id"] for verdict in found] == [f"o{n}" for n in range(400)]


def test_other_bodies_and_callers_are_turned_away(sales: Sales) -> None:
    path = "/v1/imports/accounts"
    assert sales.client.post(path, json={}, headers=sales.admin).status_code == 415
    nobody = bearer(uuid.uuid4(), {"account.create": "all"})
    assert sales.client.post(path, data="", content_type=NDJSON, headers=nobody).status_code == 403
    assert load(sales, "accounts") == []
    too_much = b" " * (25 * 1024 * 1024 + 1)
    assert sales.client.post(path, data=too_much, content_type=NDJSON, headers=sales.admin).status_code == 413
