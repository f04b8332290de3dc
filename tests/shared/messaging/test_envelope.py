"""The envelope: every header has its place, and what is no event is refused with the reason."""

from __future__ import annotations

import uuid

import pytest

from shared.messaging.envelope import Undecodable, fact_from_record
from tests.shared.ledger import LINKED, MORNING
from tests.shared.messaging.arrivals import CHAIN, linked


def test_a_record_becomes_the_fact_that_was_sent() -> None:
    event_id = uuid.uuid4()
    fact = fact_from_record(linked("k", 3, "10482", event_id=event_id, headers={"ce_causationid": "c-1"}))
    assert (fact.id, fact.source, fact.type) == (str(event_id), "/crm/erp", LINKED)
    assert (fact.subject, fact.key, fact.version, fact.time) == ("k", "k", 3, MORNING)
    assert (fact.correlation_id, fact.causation_id, fact.actor_id) == (CHAIN, "c-1", "user:ann")
    assert fact.data["erp_customer_id"] == "10482"


def test_what_an_event_may_lack_is_none() -> None:
    fact = fact_from_record(linked("k"))
    assert (fact.causation_id, fact.traceparent) == (None, None)


@pytest.mark.parametrize(
    "missing",
    [
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "ce_partitionkey",
        "ce_aggregateversion",
        "ce_correlationid",
        "ce_actorid",
    ],
)
def test_a_missing_header_is_named(missing: str) -> None:
    with pytest.raises(Undecodable, match=f"the header {missing} is missing"):
        fact_from_record(linked("k", headers={missing: None}))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ce_time", "yesterday"),
        ("ce_time", "2026-03-02T09:00:00"),
        ("ce_aggregateversion", "three"),
        ("ce_correlationid", "not-a-uuid"),
    ],
)
def test_a_malformed_header_is_refused(header: str, value: str) -> None:
    with pytest.raises(Undecodable, match="a header is malformed"):
        fact_from_record(linked("k", headers={header: value}))


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"{", b"[1]", b'"text"', b"null", b'{"a": NaN}'])
def test_a_value_that_is_no_json_object_is_refused(value: bytes) -> None:
    with pytest.raises(Undecodable, match="JSON"):
        fact_from_record(linked("k", value=value))
