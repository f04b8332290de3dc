"""An order is cancelled at each point of its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.erp.processes.run_demo_erp import DemoErpServer
from shared.kernel.ids import new_id
from tests.erp.conftest import CANCEL_REQUESTED, Connector, an_order


def test_a_queued_order_is_cancelled_without_a_call(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.ask_to_cancel(order)
    cancelled = erp.fact(order_id, "cancelled")
    assert (cancelled["request_no"], cancelled["erp_number"], cancelled["code"]) == (2, None, "never_sent")
    erp.call()
    assert erp.documents(order_id) == []
    assert erp.link(order_id)["attempts"] == []
    assert erp.told(order_id) == ["cancelled"]


def test_a_blocked_order_is_cancelled_without_a_call_and_does_not_resume(erp: Connector) -> None:
    order = an_order()
    order["lines"][0]["tax_code"] = "AT20"
    order_id = erp.submit(order)
    erp.call()
    erp.ask_to_cancel(order)
    entries = [{"ours": "AT20", "theirs": "VAT-19"}, {"ours": "S19", "theirs": "VAT-19"}]
    assert erp.send("PUT", "/v1/mappings/tax", {"entries": entries}, **{"If-Match": '"1"'}).status_code == 200
    erp.service.fire_timers()
    erp.call()
    assert erp.told(order_id) == ["cancelled"]
    assert erp.documents(order_id) == []


def test_an_accepted_order_is_cancelled_in_the_erp(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    erp.ask_to_cancel(order)
    assert erp.link(order_id)["state"] == "cancelling"
    erp.call()
    assert erp.told(order_id) == ["received", "accepted", "cancelled"]
    cancelled = erp.fact(order_id, "cancelled")
    assert (cancelled["request_no"], cancelled["erp_number"]) == (2, "SO-2026-0001")
    assert [line["accepted"] for line in cancelled["lines"]] == ["0", "0"]
    assert [document["state"] for document in erp.documents(order_id)] == ["cancelled"]
    erp.pass_time(5)
    assert erp.told(order_id) == ["received", "accepted", "cancelled"]


def test_what_was_shipped_is_not_cancelled(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    erp.clock.advance(timedelta(seconds=1))
    erp.let_erp_work()  # shipped there, not heard here
    erp.ask_to_cancel(order)
    erp.follow()
    assert erp.told(order_id) == ["received", "accepted"]
    erp.call()
    assert erp.told(order_id) == ["received", "accepted", "shipped", "rejected"]
    refused = erp.fact(order_id, "rejected")
    assert (refused["request_no"], refused["code"]) == (2, "already_shipped")
    assert [line["shipped"] for line in refused["lines"]] == ["24", "0"]
    assert erp.link(order_id)["state"] == "accepted"
    erp.pass_time(4)
    assert erp.told(order_id) == ["received", "accepted", "shipped", "rejected", "invoiced", "paid"]


@pytest.mark.parametrize("fault", ["error_before", "error_after_commit"])
def test_an_order_in_doubt_is_cancelled_after_the_doubt(erp: Connector, fault: str) -> None:
    erp.script(fault)
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    erp.ask_to_cancel(order)
    erp.call()
    assert (erp.link(order_id)["state"], erp.told(order_id)) == ("cancelling", [])
    erp.clock.advance(timedelta(seconds=120))
    erp.call()
    assert erp.told(order_id) == ["cancelled"]
    assert [d["state"] for d in erp.documents(order_id)] == (
        ["cancelled"] if fault == "error_after_commit" else []
    )


def test_a_cancellation_during_the_create_waits_for_it(
    erp: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order()
    order_id = erp.submit(order)
    create = DemoErpServer._create

    def cancelled_meanwhile(server: DemoErpServer, body: dict[str, object]) -> tuple[int, bytes]:
        erp.ask_to_cancel(order)
        return create(server, body)

    with monkeypatch.context() as patched:
        patched.setattr(DemoErpServer, "_create", cancelled_meanwhile)
        erp.call()
    assert erp.told(order_id) == ["cancelled"]
    assert [document["state"] for document in erp.documents(order_id)] == ["cancelled"]


def test_a_late_acceptance_of_a_cancelling_order_is_not_told(
    erp: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order()
    order_id = erp.submit(order)
    decide = DemoErpServer._decide

    def cancelled_meanwhile(server: DemoErpServer, document_id: int, step: str) -> tuple[int, bytes]:
        if step == "confirm":
            erp.ask_to_cancel(order)
        return decide(server, document_id, step)

    with monkeypatch.context() as patched:
        patched.setattr(DemoErpServer, "_decide", cancelled_meanwhile)
        erp.call()
    assert erp.told(order_id) == ["received", "cancelled"]
    assert [document["state"] for document in erp.documents(order_id)] == ["cancelled"]


def test_a_refused_cancellation_of_an_unconfirmed_order_lets_it_go_on(erp: Connector) -> None:
    erp.script("error_before", on="confirm")
    erp.script("reject", on="cancel", times=1)
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    erp.ask_to_cancel(order)
    erp.pass_time(2)
    assert erp.told(order_id)[:3] == ["received", "rejected", "accepted"]
    assert erp.link(order_id)["state"] == "accepted"


def test_an_order_never_seen_is_cancelled_too(erp: Connector) -> None:
    order = an_order()
    erp.ask_to_cancel(order, request_no=2)
    assert erp.told(order["order_id"]) == ["cancelled"]
    erp.call()
    assert erp.documents(order["order_id"]) == []


def test_the_same_cancellation_again_asks_nobody(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    for _ in range(2):
        erp.ask_to_cancel(order)
        erp.call()
    assert erp.told(order_id) == ["received", "accepted", "cancelled"]
    assert [a["step"] for a in erp.link(order_id)["attempts"]].count("cancel") == 1


def test_a_cancellation_in_the_erp_itself_is_told(erp: Connector) -> None:
    order_id = erp.submit()
    erp.call()
    server = DemoErpServer(
        erp.service.runtime.unit_of_work, caller_waits=5, gives_up_after=5, step=timedelta(seconds=1)
    )
    assert server("POST", "/documents/1/cancel", b"")[0] == 200
    erp.follow()
    assert erp.told(order_id) == ["received", "accepted", "cancelled"]
    assert erp.fact(order_id, "cancelled")["request_no"] == 1


def test_another_cancellation_after_a_late_acceptance_is_obeyed(connect: Callable[..., Connector]) -> None:
    """Sales asks again, with a number of its own, whenever an acceptance crossed its cancellation."""
    erp = connect()
    order = an_order()
    order_id = erp.submit(order)
    erp.script("reject", on="cancel", times=1)
    erp.call()
    erp.ask_to_cancel(order, request_no=2)
    erp.call()
    assert erp.told(order_id) == ["received", "accepted", "rejected"]
    erp.ask_to_cancel(order, request_no=3)
    erp.call()
    assert erp.told(order_id) == ["received", "accepted", "rejected", "cancelled"]
    assert erp.fact(order_id, "cancelled")["request_no"] == 3


def test_an_imported_cancellation_asks_nobody(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    asked = {**order, "request_no": 2, "origin": "import", "reason": "History", "requested_by": None}
    erp.service.deliver(CANCEL_REQUESTED, asked, subject=order_id, version=2, event_id=new_id())
    assert erp.link(order_id)["state"] == "accepted"
