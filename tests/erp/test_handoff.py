"""An order on its way into the ERP when nothing goes wrong, and what people and tables decide."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.kernel.ids import new_id
from tests.erp.conftest import SUBMITTED, Connector, an_order, order_line


def test_an_order_is_received_accepted_shipped_invoiced_and_paid(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    assert erp.link(order_id)["state"] == "queued"
    assert erp.documents(order_id) == []

    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    erp.pass_time(4)

    assert erp.told(order_id) == ["received", "accepted", "shipped", "invoiced", "paid"]
    link = erp.link(order_id)
    assert (link["state"], link["erp_number"], link["erp_sequence"]) == ("accepted", "SO-2026-0001", 5)
    assert [a["step"] for a in link["attempts"]] == ["find", "create", "find", "confirm"]
    assert [f["erp_sequence"] for f in (erp.fact(order_id, name) for name in erp.told(order_id))] == [
        1,
        2,
        3,
        4,
        5,
    ]
    accepted = erp.fact(order_id, "accepted")
    assert (accepted["request_no"], accepted["erp_number"]) == (1, "SO-2026-0001")
    assert [(line["ordered"], line["accepted"]) for line in accepted["lines"]] == [("24", "24"), ("1", "1")]
    shipped = erp.fact(order_id, "shipped")
    (moved,) = shipped["shipment_lines"]  # the service line is not shipped
    assert (moved["line_id"], moved["quantity"], moved["cumulative"]) == (
        order["lines"][0]["line_id"],
        "24",
        "24",
    )
    assert moved["serials"][0] == "RC-500-1-1-001"
    assert len(moved["serials"]) == 24
    invoiced, paid = erp.fact(order_id, "invoiced"), erp.fact(order_id, "paid")
    assert invoiced["amount"] == invoiced["cumulative"] == {"amount": "29280.88", "currency": "EUR"}
    assert [line["invoiced"] for line in invoiced["lines"]] == ["24", "1"]
    assert (paid["cumulative"]["amount"], paid["settled"]) == ("29280.88", True)
    (document,) = erp.documents(order_id)
    assert (document["gross"], document["state"]) == ("29280.8800", "confirmed")


def test_the_facts_hang_on_the_chain_of_the_order(erp: Connector) -> None:
    chain = new_id()
    order = an_order()
    asked = erp.service.deliver(SUBMITTED, order, subject=order["order_id"], correlation_id=chain)
    erp.call()
    erp.pass_time(4)
    facts = [fact for fact in erp.service.facts() if fact.subject == order["order_id"]]
    assert len(facts) == 5
    assert {fact.correlation_id for fact in facts} == {chain}
    assert {fact.headers["ce_causationid"] for fact in facts} == {str(asked)}


def test_an_account_is_linked_once_with_its_customer(erp: Connector) -> None:
    first, second = an_order(), an_order()
    second["account"] = first["account"]
    erp.submit(first)
    erp.submit(second)
    erp.call()
    (linked,) = erp.service.facts("crm.erp.customer.linked.v1")
    assert linked.subject == first["account"]["id"]
    assert (linked.data["erp_customer_id"], linked.data["erp_number"]) == ("1", "C-10001")
    assert {
        document["customer_id"] for o in (first, second) for document in erp.documents(o["order_id"])
    } == {1}


def test_the_same_request_again_does_nothing_and_another_content_is_refused(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.submit(order)
    erp.call()
    assert len(erp.documents(order_id)) == 1
    erp.submit({**order, "number": "O-2026-999999"})
    letters = erp.get("/v1/bus/dead-letters")["items"]
    assert [letter["event_type"] for letter in letters] == [SUBMITTED]
    assert "with another content" in letters[0]["last_error"]
    erp.call()
    assert len(erp.documents(order_id)) == 1


def test_an_imported_order_is_history_and_is_never_handed_over(erp: Connector) -> None:
    order_id = erp.submit(an_order(origin="import"))
    erp.call()
    assert erp.get("/v1/links")["items"] == []
    assert erp.documents(order_id) == []
    assert erp.service.facts() == []


def test_rounding_lines_keep_the_net_of_a_line(erp: Connector) -> None:
    order_id = erp.submit(an_order(order_line("BOLT", "3000", "1000.01")))
    erp.call()
    (document,) = erp.documents(order_id)
    assert [(line["quantity"], line["unit_price"], line["is_rounding"]) for line in document["lines"]] == [
        ("3000", "0.3333", False),
        ("1", "0.11", True),
    ]
    assert (document["net"], document["tax"], document["gross"]) == ("1000.0100", "190.0000", "1190.0100")
    assert erp.link(order_id)["state"] == "accepted"


def test_an_unknown_code_blocks_and_its_mapping_resumes_the_order(erp: Connector) -> None:
    order_id = erp.submit(an_order(order_line("RC-500", "2", "10.00", tax_code="AT20")))
    other = erp.submit(an_order(order_line("RC-500", "2", "10.00", unit="XYZ")))
    erp.call()
    link = erp.link(order_id)
    assert (link["state"], link["blocked_reason"]) == ("blocked", "unmapped")
    assert link["blocked_detail"] == {"kind": "tax", "value": "AT20"}
    assert link["allowed"] == ["resend", "reject"]
    assert erp.documents(order_id) == []
    assert erp.told(order_id) == []

    table = erp.get("/v1/mappings/tax")
    stale = erp.send("PUT", "/v1/mappings/tax", {"entries": []}, **{"If-Match": '"99"'})
    assert stale.status_code == 412
    entries = [*table["entries"], {"ours": "AT20", "theirs": "VAT-19"}]
    edited = erp.send(
        "PUT", "/v1/mappings/tax", {"entries": entries}, **{"If-Match": f'"{table["version"]}"'}
    )
    assert (edited.status_code, edited.json["version"]) == (200, 2)
    erp.service.fire_timers()
    erp.call()
    assert erp.link(order_id)["state"] == "accepted"
    assert erp.link(order_id)["mapping_version"] == 6
    assert erp.link(other)["blocked_detail"] == {"kind": "unit", "value": "XYZ"}


def test_a_mapping_with_two_meanings_on_one_day_is_refused(erp: Connector) -> None:
    entries = [
        {"ours": "S19", "theirs": "VAT-19", "valid_to": "2026-06-30"},
        {"ours": "S19", "theirs": "VAT-16", "valid_from": "2026-06-30"},
    ]
    answer = erp.send("PUT", "/v1/mappings/tax", {"entries": entries}, **{"If-Match": '"1"'})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/entries")
    entries[1]["valid_from"] = "2026-07-01"
    assert erp.send("PUT", "/v1/mappings/tax", {"entries": entries}, **{"If-Match": '"1"'}).status_code == 200
    assert erp.send("GET", "/v1/mappings/colour").status_code == 404


@pytest.fixture
def three_cheap_lines() -> dict[str, Any]:
    """7.35 at 19 %: 1.40 tax on the document, 1.41 where each line is rounded."""
    return an_order(*(order_line(f"P-{n}", "1", "2.45") for n in range(3)))


def test_totals_that_differ_block_until_a_person_takes_the_figures(
    erp: Connector, three_cheap_lines: dict[str, Any]
) -> None:
    erp.script("round_per_line")
    order_id = erp.submit(three_cheap_lines)
    erp.call()
    link = erp.link(order_id)
    assert (link["state"], link["blocked_reason"]) == ("blocked", "totals_differ")
    assert link["blocked_detail"] == {
        "ours": {"net": "7.35", "tax": "1.40", "gross": "8.75"},
        "theirs": {"net": "7.35", "tax": "1.41", "gross": "8.76"},
    }
    assert erp.told(order_id) == ["received"]
    assert erp.documents(order_id)[0]["state"] == "quotation"

    without = erp.send("POST", f"/v1/links/{order_id}/take-erp-figures")
    assert without.status_code == 428
    taken = erp.send("POST", f"/v1/links/{order_id}/take-erp-figures", **erp.etag(order_id))
    assert (taken.status_code, taken.json["state"]) == (200, "created")
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    again = erp.send("POST", f"/v1/links/{order_id}/take-erp-figures", **erp.etag(order_id))
    assert (again.status_code, again.json["state"], again.json["allowed"]) == (409, "accepted", [])


def test_a_blocked_order_can_be_given_up(erp: Connector, three_cheap_lines: dict[str, Any]) -> None:
    erp.script("round_per_line")
    order_id = erp.submit(three_cheap_lines)
    erp.call()
    answer = erp.send(
        "POST", f"/v1/links/{order_id}/reject", {"reason": "Prices are wrong"}, **erp.etag(order_id)
    )
    assert answer.json["state"] == "rejected"
    rejected = erp.fact(order_id, "rejected")
    assert (rejected["code"], rejected["text"]) == ("rejected_by_person", "Prices are wrong")
    assert [(line["rejected"], line["rejected_code"]) for line in rejected["lines"]] == [
        ("1", "rejected_by_person")
    ] * 3
    erp.call()
    assert erp.documents(order_id)[0]["state"] == "cancelled"
    assert erp.told(order_id) == ["received", "rejected"]


def test_a_refusal_tells_code_and_text_and_leaves_no_live_document(erp: Connector) -> None:
    erp.script(
        "reject",
        {"field": "customer", "value": "acme"},
        parameters={"code": "credit_limit", "text": "Too much"},
    )
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    assert erp.told(order_id) == ["received", "rejected"]
    rejected = erp.fact(order_id, "rejected")
    assert (rejected["request_no"], rejected["code"], rejected["text"]) == (1, "credit_limit", "Too much")
    assert [document["state"] for document in erp.documents(order_id)] == ["cancelled"]
    assert erp.link(order_id)["last_error"] == "credit_limit: Too much"


def test_a_refusal_at_the_creation_is_never_received(erp: Connector) -> None:
    erp.script("reject", {"field": "sku", "value": "RC-500"}, on="create")
    order_id = erp.submit()
    erp.call()
    assert erp.told(order_id) == ["rejected"]
    assert erp.fact(order_id, "rejected")["erp_number"] is None
    assert erp.documents(order_id) == []


def test_a_correction_of_a_rejected_order_is_handed_over_as_the_next_request(erp: Connector) -> None:
    erp.script("reject", times=1)
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    assert erp.link(order_id)["state"] == "rejected"
    erp.submit(
        {**order, "request_no": 2, "revision": 2, "lines": order["lines"][:1]} | _totals("20559.38"),
        version=2,
    )
    erp.call()
    assert erp.told(order_id) == ["received", "rejected", "received", "accepted"]
    assert erp.fact(order_id, "accepted")["request_no"] == 2
    assert sorted(d["state"] for d in erp.documents(order_id)) == ["cancelled", "confirmed"]


def test_a_person_may_resend_a_rejected_order(erp: Connector) -> None:
    erp.script("reject", times=1)
    order_id = erp.submit()
    erp.call()
    answer = erp.send(
        "POST", f"/v1/links/{order_id}/resend", {"reason": "Limit was raised"}, **erp.etag(order_id)
    )
    assert answer.json["state"] == "queued"
    erp.call()
    assert erp.link(order_id)["state"] == "accepted"
    (resent,) = [a for a in erp.link(order_id)["attempts"] if a["step"] == "resend"]
    assert resent["request"]["reason"] == "Limit was raised"
    again = erp.send("POST", f"/v1/links/{order_id}/resend", {"reason": "Once more"}, **erp.etag(order_id))
    assert (again.status_code, again.json["type"].rsplit("/")[-1]) == (409, "illegal-state")


def test_a_part_is_accepted_a_part_comes_later_and_a_part_never(erp: Connector) -> None:
    erp.script(
        "partial",
        parameters={
            "backordered": "3",
            "backordered_until": "2026-04-10",
            "rejected": "1",
            "code": "discontinued",
            "text": "One is no longer made",
        },
    )
    order_id = erp.submit(an_order(order_line("RC-500", "10", "1000.00")))
    erp.call()
    partial = erp.fact(order_id, "partially_accepted")
    (line,) = partial["lines"]
    assert (line["accepted"], line["backordered"], line["backordered_until"]) == ("6", "3", "2026-04-10")
    assert (line["rejected"], line["rejected_code"], partial["code"]) == ("1", "discontinued", "discontinued")
    erp.pass_time(8)
    assert erp.told(order_id) == ["received", "partially_accepted", *["shipped", "invoiced", "paid"] * 2]
    facts = [fact.data for fact in erp.service.facts() if fact.subject == order_id]
    assert [s["shipment_lines"][0]["cumulative"] for s in facts if "shipment_lines" in s] == ["6", "9"]
    assert [s["cumulative"]["amount"] for s in facts if "invoice_number" in s] == ["714.00", "1071.00"]
    assert [(p["cumulative"]["amount"], p["settled"]) for p in facts if "settled" in p] == [
        ("714.00", False),
        ("1071.00", True),
    ]
    assert erp.link(order_id)["due_total"]["amount"] == "1071.00"


def test_what_is_heard_late_is_told_as_it_happened(erp: Connector) -> None:
    erp.script("partial", parameters={"backordered": "3"})
    erp.script("error_after_commit", on="confirm")
    order_id = erp.submit(an_order(order_line("RC-500", "10", "1000.00")))
    erp.call()
    for _ in range(8):
        erp.clock.advance(timedelta(seconds=1))
        erp.let_erp_work()
    erp.call()  # one look finds it all
    assert erp.told(order_id) == ["received", "partially_accepted", *["shipped", "invoiced", "paid"] * 2]
    erp.follow()
    assert len(erp.told(order_id)) == 8


def test_an_order_of_which_nothing_is_left_is_rejected(erp: Connector) -> None:
    erp.script("partial", parameters={"rejected": "10", "code": "discontinued", "text": "No longer made"})
    order_id = erp.submit(an_order(order_line("RC-500", "10", "1000.00")))
    erp.call()
    assert erp.told(order_id) == ["received", "rejected"]
    assert erp.fact(order_id, "rejected")["code"] == "discontinued"
    erp.pass_time(3)
    assert erp.told(order_id) == ["received", "rejected"]
    assert [document["state"] for document in erp.documents(order_id)] == ["cancelled"]


def _totals(net: str) -> dict[str, Any]:
    order = an_order(order_line("X", "1", net))
    assert Decimal(order["net_total"]["amount"]) == Decimal(net)
    return {name: order[name] for name in ("net_total", "tax_total", "gross_total")}
