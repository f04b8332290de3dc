"""What arrives is stored once, and nothing that arrives can stop what comes behind it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import orjson
import pytest

from shared.messaging.transport import ReceivedRecord
from shared.service import Runtime, Service
from tests.shared.ledger import LINKED, TOPIC, facts, noted, service
from tests.shared.messaging.arrivals import CHAIN, arrive, inbox, linked, step


def test_a_fact_is_stored_ready_with_what_it_is(erp: Runtime) -> None:
    record = linked("k", 4)
    stored = arrive(erp, [record])
    assert (stored.new, stored.duplicates) == (1, {})
    (row,) = inbox(erp.database)
    assert (row.consumer, row.source, row.event_id) == ("crm.erp", "/crm/erp", record.headers["ce_id"])
    assert (row.topic, row.position, row.partition_key) == (TOPIC, record.position, "k")
    assert (row.event_type, row.aggregate_version, row.correlation_id) == (LINKED, 4, CHAIN)
    assert (row.state, row.attempts, row.payload, row.headers) == ("ready", 0, record.value, record.headers)


def test_a_second_delivery_changes_nothing(erp: Runtime) -> None:
    event_id = uuid.uuid4()
    first = linked("k", number="first", event_id=event_id)
    arrive(erp, [first])
    step(erp)
    before = inbox(erp.database)
    again = linked("k", number="other", event_id=event_id)
    stored = arrive(erp, [again, first, again])
    assert (stored.new, stored.duplicates) == (0, {TOPIC: 3})
    step(erp)
    assert inbox(erp.database) == before
    assert noted(erp.database) == [("k", 1, "first")]


def test_a_duplicate_within_a_batch_is_counted(erp: Runtime) -> None:
    event_id = uuid.uuid4()
    stored = arrive(erp, [linked("k", event_id=event_id), linked("k", event_id=event_id), linked("l")])
    assert (stored.new, stored.duplicates) == (2, {TOPIC: 1})


def test_equal_ids_of_different_sources_are_different_facts(erp: Runtime) -> None:
    event_id = uuid.uuid4()
    other = linked("k", event_id=event_id, headers={"ce_source": "/crm/sales"})
    assert arrive(erp, [linked("k", event_id=event_id), other]).new == 2


def test_types_without_a_handler_are_skipped_and_block_nothing(erp: Runtime) -> None:
    unknown = linked("k", 1, headers={"ce_type": "crm.erp.customer.unheard_of.v1"})
    arrive(erp, [unknown, linked("k", 2)])
    step(erp)
    assert [row.state for row in inbox(erp.database)] == ["skipped", "done"]
    assert noted(erp.database) == [("k", 2, "1")]


_POISON = [
    pytest.param(linked("p", value=b"\xff\x00\xfe no JSON"), id="bytes with NUL"),
    pytest.param(linked("p", value=b""), id="no value"),
    pytest.param(linked("p", value=b"[]"), id="no object"),
    pytest.param(linked("p", headers={"ce_id": None}), id="no id"),
    pytest.param(linked("p", headers={"ce_id": ""}), id="empty id"),
    pytest.param(linked("p", headers={"ce_id": "a\0b"}), id="NUL in the id"),
    pytest.param(linked("p", headers={"ce_subject": "a\0b"}), id="NUL in a header of no column"),
    pytest.param(linked("p", headers={"x-\0": "b"}), id="NUL in a header's name"),
    pytest.param(linked("p", headers={"ce_time": "\0"}), id="NUL in what is malformed"),
    pytest.param(linked("p", headers={"ce_id": "i" * 10_000}), id="id too long for an index"),
    pytest.param(linked("p", headers={"ce_partitionkey": "é" * 10_000}), id="key too long for an index"),
    pytest.param(linked("p", headers={"ce_aggregateversion": str(2**63)}), id="version out of range"),
    pytest.param(linked("p", headers={"ce_aggregateversion": "9" * 10_000}), id="version of many digits"),
]


@pytest.mark.parametrize("poison", _POISON)
def test_what_is_no_event_is_kept_as_it_came_and_blocks_nothing(erp: Runtime, poison: ReceivedRecord) -> None:
    arrive(erp, [linked("p", 1), poison, linked("p", 2)])
    step(erp)
    assert noted(erp.database) == [("p", 1, "1"), ("p", 2, "1")]
    (row,) = [row for row in inbox(erp.database) if row.state == "dead"]
    assert (row.source, row.event_id) == ("undecodable", f"{TOPIC}:{poison.position}")
    assert (row.payload, row.event_type) == (poison.value, None)
    assert row.last_error


@pytest.mark.parametrize("poison", _POISON)
def test_a_second_delivery_of_what_is_no_event_changes_nothing(erp: Runtime, poison: ReceivedRecord) -> None:
    assert arrive(erp, [poison]).new == 1
    assert arrive(erp, [poison]).new == 0
    assert len(facts(erp.database)) == 1


def test_what_is_no_event_is_copied_to_the_dead_letters(erp: Runtime) -> None:
    poison = linked("p", value=b"\xff\x00", headers={"ce_actorid": "user:\0", "traceparent": "nonsense"})
    arrive(erp, [poison])
    (letter,) = facts(erp.database)
    assert (letter.topic, letter.event_type) == ("crm.erp.dlq", "crm.erp.dead_letter.buried.v1")
    data = orjson.loads(letter.payload)
    assert (data["event_type"], data["source"], data["payload_base64"]) == (None, "undecodable", "/wA=")
    assert data["headers"]["ce_actorid"] == "user:\\0"
    assert letter.headers["ce_actorid"] == "system:internal"
    assert "traceparent" not in letter.headers


def test_two_groups_keep_an_inbox_each(start_service: Callable[[Service], Runtime], erp: Runtime) -> None:
    sales = start_service(service("sales", *erp.service.consumers.handlers[LINKED]))
    record = linked("k")
    for group in (erp, sales):
        assert arrive(group, [record]).new == 1
        step(group)
        assert noted(group.database) == [("k", 1, "1")]


def test_the_order_of_arrival_is_kept(erp: Runtime) -> None:
    arrive(erp, [linked("k", version, str(version)) for version in range(1, 301)])
    assert [row.aggregate_version for row in inbox(erp.database)] == list(range(1, 301))
