"""Every fault of an ERP, one order each: exactly one document there, the right state here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.erp.processes import run_demo_erp
from services.erp.processes.order_handoff import Handoff
from services.erp.processes.run_demo_erp import DemoErpServer
from services.erp.upstream.demo import DemoPort
from tests.erp.conftest import Connector, an_order

ALL_TOLD = ["received", "accepted", "shipped", "invoiced", "paid"]


class Killed(BaseException):
    """kill -9, as far as the worker's own code can tell."""


@pytest.fixture
def kill_before_record(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """The next result that a worker wants to record, or the one after `others`, is lost with the worker."""

    def arm(others: int = 0) -> None:
        record, left = Handoff.record, others

        def die(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                record(*arguments)
                return
            monkeypatch.setattr(Handoff, "record", record)
            raise Killed

        monkeypatch.setattr(Handoff, "record", die)

    return arm


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def attempts(erp: Connector, order_id: str) -> list[tuple[str, str | None]]:
    return [(attempt["step"], attempt["answer"]) for attempt in erp.link(order_id)["attempts"]]


def test_500_after_the_commit_is_found_two_minutes_later(erp: Connector) -> None:
    erp.script("error_after_commit")
    order_id = erp.submit()
    erp.call()
    assert erp.link(order_id)["state"] == "unsure"
    assert len(erp.documents(order_id)) == 1
    erp.clock.advance(timedelta(seconds=119))
    erp.call()
    assert (erp.link(order_id)["state"], erp.told(order_id)) == ("unsure", [])
    erp.clock.advance(timedelta(seconds=1))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1
    assert attempts(erp, order_id) == [
        ("find", "ok"),
        ("create", "unknown"),
        ("find", "ok"),
        ("find", "ok"),
        ("confirm", "ok"),
    ]


def test_500_before_the_commit_is_created_again_after_looking(erp: Connector) -> None:
    erp.script("error_before")
    order_id = erp.submit()
    erp.call()
    assert (erp.link(order_id)["state"], erp.documents(order_id)) == ("unsure", [])
    assert erp.link(order_id)["last_error"] == "The ERP answered 500"
    erp.clock.advance(timedelta(seconds=120))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1
    assert [answer for step, answer in attempts(erp, order_id) if step == "create"] == ["unknown", "ok"]


@pytest.fixture
def slow_requests_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, a request that is slow goes on."""
    end = threading.Event()
    monkeypatch.setattr(run_demo_erp, "time", SimpleNamespace(sleep=lambda _: end.wait(60)))
    yield end
    end.set()


def test_a_slow_create_that_commits_after_the_timeout_is_found(
    connect: Callable[..., Connector], slow_requests_end: threading.Event
) -> None:
    impatient, erp = connect(erp_request_seconds=2.0), connect()
    erp.script("slow", parameters={"seconds": "3"})
    order_id = erp.submit()
    impatient.call()
    assert erp.link(order_id)["state"] == "unsure"
    assert erp.documents(order_id) == []
    slow_requests_end.set()
    wait_until(lambda: bool(erp.documents(order_id)))
    erp.clock.advance(timedelta(seconds=120))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1


def test_a_create_that_the_erp_gave_up_is_made_again(
    connect: Callable[..., Connector], slow_requests_end: threading.Event
) -> None:
    impatient, erp = connect(erp_request_seconds=2.0, erp_settle_seconds=3.0), connect()
    erp.script("slow", parameters={"seconds": "30"})
    order_id = erp.submit()
    impatient.call()
    slow_requests_end.set()
    wait_until(lambda: not any(thread.name == "demo erp request" for thread in threading.enumerate()))
    assert (erp.link(order_id)["state"], erp.documents(order_id)) == ("unsure", [])
    erp.clock.advance(timedelta(seconds=120))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1


def test_an_erp_that_is_down_is_tried_again_soon_and_nothing_is_in_doubt(erp: Connector) -> None:
    erp.script("down", parameters={"seconds": "5"})
    first, second = erp.submit(), erp.submit()
    erp.call()
    # The first request found out the hard way; it certainly had no effect.
    assert erp.link(first)["last_error"] == "The demo ERP went down"
    assert erp.link(second)["last_error"] == "The demo ERP is down"
    erp.pass_time(8)
    for order_id in (first, second):
        assert erp.link(order_id)["state"] == "accepted", erp.link(order_id)["attempts"]
        assert len(erp.documents(order_id)) == 1


def test_answers_that_come_twice_are_told_once(erp: Connector) -> None:
    erp.script("answer_twice")
    order_id = erp.submit()
    erp.call()
    erp.pass_time(4)
    assert erp.told(order_id) == ALL_TOLD
    assert erp.link(order_id)["paid_total"]["amount"] == "29280.88"


def test_answers_out_of_order_are_told_in_order(erp: Connector) -> None:
    erp.script("out_of_order")
    order_id = erp.submit()
    erp.call()
    erp.pass_time(6)
    assert erp.told(order_id) == ALL_TOLD
    assert len(erp.documents(order_id)) == 1


@pytest.mark.parametrize("fault", ["error_before", "error_after_commit"])
def test_a_confirmation_of_unknown_outcome_is_looked_up(erp: Connector, fault: str) -> None:
    erp.script(fault, on="confirm")
    order_id = erp.submit()
    erp.call()
    assert (erp.link(order_id)["state"], erp.told(order_id)) == ("created", ["received"])
    erp.pass_time(5)
    assert erp.told(order_id) == ALL_TOLD
    assert [step for step, _ in attempts(erp, order_id)].count("confirm") == (
        2 if fault == "error_before" else 1
    )


def test_a_confirmation_that_only_the_feed_tells_counts(erp: Connector) -> None:
    erp.script("error_after_commit", on="confirm")
    order_id = erp.submit()
    erp.call()
    erp.follow()
    assert erp.told(order_id) == ["received", "accepted"]
    erp.pass_time(3)
    assert erp.told(order_id) == ALL_TOLD


def test_a_worker_killed_after_the_call_creates_nothing_twice(
    erp: Connector, kill_before_record: Callable[[], Any]
) -> None:
    order_id = erp.submit()
    kill_before_record()
    with pytest.raises(Killed):
        erp.call()
    assert (len(erp.documents(order_id)), erp.link(order_id)["state"]) == (1, "creating")
    assert attempts(erp, order_id) == [("create", None)]

    erp.clock.advance(timedelta(seconds=61))  # the lease of the dead worker has ended
    erp.call()
    assert erp.link(order_id)["state"] == "unsure"  # what was begun may still be under way
    erp.clock.advance(timedelta(seconds=59))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1


def test_a_worker_killed_before_the_call_is_replaced(erp: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise Killed

    order_id = erp.submit()
    with monkeypatch.context() as patched:
        patched.setattr(DemoPort, "find_by_reference", die)
        with pytest.raises(Killed):
            erp.call()
    assert (erp.link(order_id)["state"], erp.documents(order_id)) == ("creating", [])
    erp.clock.advance(timedelta(seconds=61))
    erp.call()  # no create was begun: there is nothing to wait for
    assert erp.told(order_id) == ["received", "accepted"]
    assert len(erp.documents(order_id)) == 1


def test_a_worker_killed_after_the_confirmation_is_replaced(
    erp: Connector, kill_before_record: Callable[..., Any]
) -> None:
    order_id = erp.submit()
    kill_before_record(others=1)
    with pytest.raises(Killed):
        erp.call()
    assert erp.told(order_id) == ["received"]
    assert erp.documents(order_id)[0]["state"] == "confirmed"
    erp.clock.advance(timedelta(seconds=61))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
    erp.pass_time(4)
    assert erp.told(order_id) == ALL_TOLD
    assert len(erp.documents(order_id)) == 1


def test_a_second_process_does_not_touch_an_order_that_the_first_is_creating(
    connect: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hangs in the create for longer than its lease, so the second takes the command over."""
    first, second = connect(erp_request_seconds=100.0), connect()
    hangs, goes_on = threading.Event(), threading.Event()
    create = DemoErpServer._create

    def hang(server: Any, order: dict[str, Any]) -> Any:
        hangs.set()
        assert goes_on.wait(60)
        return create(server, order)

    monkeypatch.setattr(DemoErpServer, "_create", hang)
    order_id = first.submit()
    thread = threading.Thread(target=first.call)
    thread.start()
    assert hangs.wait(60)
    first.clock.advance(timedelta(seconds=200))  # its lease and the time to settle are over
    second.call()
    assert second.documents(order_id) == []
    goes_on.set()
    thread.join(60)
    second.clock.advance(timedelta(seconds=5))
    second.call()
    assert second.told(order_id) == ["received", "accepted"]
    assert len(second.documents(order_id)) == 1


def test_a_foreign_document_with_our_reference_blocks(
    erp: Connector, kill_before_record: Callable[[], Any]
) -> None:
    order = an_order()
    order_id = erp.submit(order)
    kill_before_record()
    with pytest.raises(Killed):
        erp.call()
    connection = erp.service.runtime.database.engine.connect()
    with connection, connection.begin():
        changed = "UPDATE demo_documents SET lines = jsonb_set(lines, '{0,quantity}', '\"23\"')"
        connection.exec_driver_sql(changed)
    erp.clock.advance(timedelta(seconds=121))
    erp.call()
    link = erp.link(order_id)
    assert (link["state"], link["blocked_reason"]) == ("blocked", "reference_taken")
    assert link["blocked_detail"] == {"erp_id": "1", "erp_number": "SO-2026-0001"}
    assert erp.told(order_id) == []
    assert len(erp.documents(order_id)) == 1


def test_two_documents_with_our_reference_block(erp: Connector) -> None:
    erp.script("error_after_commit", on="confirm")
    order_id = erp.submit()
    erp.call()
    connection = erp.service.runtime.database.engine.connect()
    columns = (
        "reference, order_number, customer_id, customer, state, revision, currency, lines, net, tax, gross"
    )
    more = "shipments, invoices, payments, feed, changed_at, created_at"
    with connection, connection.begin():
        connection.exec_driver_sql(
            f"INSERT INTO demo_documents ({columns}, {more}) SELECT {columns}, {more} FROM demo_documents"
        )
    erp.clock.advance(timedelta(seconds=3))
    erp.call()
    link = erp.link(order_id)
    assert (link["state"], link["blocked_reason"]) == ("blocked", "duplicate_in_erp")
    assert link["blocked_detail"]["text"].endswith("SO-2026-0001, SO-2026-0002")


def test_an_answer_that_makes_no_sense_counts_as_unknown(
    erp: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(DemoErpServer, "_create", lambda *_: (200, b'{"id": 7, "number": null}'))
        order_id = erp.submit()
        erp.call()
    link = erp.link(order_id)
    assert link["state"] == "unsure"
    assert link["last_error"].startswith("The ERP answered 200 with what makes no sense")
    erp.clock.advance(timedelta(seconds=120))
    erp.call()
    assert erp.told(order_id) == ["received", "accepted"]
