"""When a failed fact is tried again, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest

from shared.kernel.clock import FixedClock
from shared.kernel.errors import Conflict, Permanent, Stale, Unavailable
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact, Undecodable
from shared.messaging.retry import HANDLER_DELAYS, is_permanent, next_attempt, relay_delay
from shared.service import Runtime, Service
from tests.shared.ledger import LINKED, MORNING, LinkData, facts, noted, service
from tests.shared.messaging.arrivals import CHAIN, Temper, arrive, inbox, linked, step


@pytest.fixture
def temper(clock: FixedClock) -> Temper:
    return Temper(clock)


@pytest.fixture
def erp(start_service: Callable[[Service], Runtime], temper: Temper) -> Runtime:
    return start_service(service("erp", temper.handler))


def test_the_schedule_is_1s_5s_30s_2m_10m_1h_6h_then_dead(
    erp: Runtime, temper: Temper, clock: FixedClock
) -> None:
    temper.breaks_at = {"bad"}
    arrive(erp, [linked("k", 1, "bad")])
    for attempt, seconds in enumerate((1, 5, 30, 120, 600, 3_600, 21_600), start=1):
        step(erp)
        (row,) = inbox(erp.database)
        assert (row.state, row.attempts) == ("ready", attempt)
        assert row.last_error == "RuntimeError: bad broke"
        pause = (row.next_attempt_at - clock.now()).total_seconds()
        assert seconds <= pause <= seconds * 1.1
        clock.advance(timedelta(seconds=pause) - timedelta(milliseconds=1))
        step(erp)
        assert inbox(erp.database)[0].attempts == attempt
        clock.advance(timedelta(milliseconds=1))
    step(erp)
    (row,) = inbox(erp.database)
    assert (row.state, row.attempts, row.next_attempt_at) == ("dead", 8, None)
    assert noted(erp.database) == []


def test_a_fact_that_works_at_last_is_applied_once(erp: Runtime, temper: Temper, clock: FixedClock) -> None:
    temper.breaks_at = {"bad"}
    arrive(erp, [linked("k", 1, "bad"), linked("k", 2, "after")])
    step(erp)
    temper.breaks_at = set()
    clock.advance(timedelta(seconds=2))
    step(erp)
    assert noted(erp.database) == [("k", 1, "bad"), ("k", 2, "after")]
    assert [(row.state, row.attempts, row.last_error) for row in inbox(erp.database)] == [
        ("done", 2, None),
        ("done", 1, None),
    ]


def test_a_refusal_is_dead_at_once_and_copied_to_the_groups_dead_letters(
    erp: Runtime, temper: Temper
) -> None:
    temper.refuses = {"bad"}
    record = linked("k", 1, "bad")
    arrive(erp, [record])
    step(erp)
    (row,) = inbox(erp.database)
    assert (row.state, row.attempts, row.last_error) == ("dead", 1, "Permanent: bad is refused")
    (letter,) = facts(erp.database)
    assert (letter.topic, letter.partition_key) == ("crm.erp.dlq", "k")
    assert (letter.event_type, letter.correlation_id) == ("crm.erp.dead_letter.buried.v1", CHAIN)
    assert letter.headers["ce_causationid"] == record.headers["ce_id"]
    assert letter.headers["ce_aggregateversion"] == "1"
    data = orjson.loads(letter.payload)
    assert data["reason"] == "Permanent: bad is refused"
    assert (data["source"], data["event_id"], data["attempts"]) == ("/crm/erp", record.headers["ce_id"], 1)


def test_the_copy_fits_its_contract(erp: Runtime, temper: Temper) -> None:
    temper.refuses = {"bad"}
    arrive(erp, [linked("k", 1, "bad"), linked("l", value=b"\xff")])
    step(erp)
    catalog = erp.outbox().catalog
    letters = facts(erp.database)
    assert len(letters) == 2
    for letter in letters:
        catalog.validator(letter.event_type)(orjson.loads(letter.payload))
        assert catalog.topic_of(letter.event_type) == letter.topic


def test_a_payload_too_large_to_be_copied_stays_in_the_inbox_alone(erp: Runtime) -> None:
    arrive(erp, [linked("k", value=b"x" * 700_000)])
    (letter,) = facts(erp.database)
    data = orjson.loads(letter.payload)
    assert (data["payload_base64"], data["payload_bytes"]) == ("", 700_000)
    assert len(inbox(erp.database)[0].payload) == 700_000


def test_an_error_with_a_nul_in_its_text_can_be_noted(start_service: Callable[[Service], Runtime]) -> None:
    def refuse(fact: Fact, uow: object) -> None:
        raise Permanent("a\0b")

    erp = start_service(service("erp", handles(LINKED, reads=LinkData)(refuse)))
    arrive(erp, [linked("k")])
    step(erp)
    assert inbox(erp.database)[0].last_error == "Permanent: a\\0b"


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (Permanent("no"), True),
        (Conflict("no"), True),
        (Undecodable("no"), True),
        (Unavailable("later"), False),
        (Stale("lost a race"), False),
        (RuntimeError("unknown"), False),
        (KeyError("unknown"), False),
    ],
)
def test_refusals_are_permanent_and_what_is_unknown_is_not(error: Exception, permanent: bool) -> None:
    assert is_permanent(error) is permanent


def test_what_must_not_be_given_up_repeats_the_longest_pause() -> None:
    assert next_attempt(len(HANDLER_DELAYS) + 1, MORNING) is None
    again = next_attempt(100, MORNING, final=False)
    assert again is not None
    assert timedelta(hours=6) <= again - MORNING <= timedelta(hours=6.6)


def test_the_relays_pauses_double_up_to_half_a_minute() -> None:
    for attempts, seconds in ((1, 0.2), (2, 0.4), (5, 3.2), (9, 30.0), (10_000, 30.0)):
        assert seconds <= relay_delay(attempts) <= seconds * 1.1
