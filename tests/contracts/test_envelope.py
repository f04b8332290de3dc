"""Our envelope, read and written by the package `cloudevents` as the Kafka binding in binary mode asks."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat

from shared.contracts.catalog import Catalog
from shared.messaging.envelope import fact_from, to_headers

EVENT_ID = uuid.UUID("018f3b1e-0000-7000-8000-0000000000a1")
CORRELATION_ID = uuid.UUID("018f3b1e-0000-7000-8000-0000000000b2")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


def sent(catalog: Catalog, event_type: str, subject: str, **changes: Any) -> dict[str, str]:
    """Headers of a fact as the outbox makes them."""
    return to_headers(
        **{
            "event_id": EVENT_ID,
            "source": f"/crm/{event_type.split('.')[1]}",
            "event_type": event_type,
            "subject": subject,
            "time": AT,
            "dataschema": catalog.dataschema(event_type),
            "key": subject,
            "version": 7,
            "correlation_id": CORRELATION_ID,
            "causation_id": "018f3b1e-0000-7000-8000-0000000000c3",
            "actor_id": "user:018f3b1e-0000-7000-8000-0000000000d4",
            "data_class": catalog.data_class(event_type),
            "traceparent": TRACE,
            **changes,
        }
    )


def message(headers: dict[str, str], value: bytes) -> KafkaMessage:
    encoded = {name: text.encode() for name, text in headers.items()}
    return KafkaMessage(headers=encoded, key=headers["ce_partitionkey"].encode(), value=value)


def test_the_package_reads_every_type_of_fact(
    catalog: Catalog, event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    data = next(iter(examples.values()))
    headers = sent(catalog, event_type, "018f3b1e-0000-7000-8000-000000000108")
    event = from_binary(message(headers, json.dumps(data).encode()), JSONFormat())
    assert event.get_id() == str(EVENT_ID)
    assert event.get_source() == f"/crm/{event_type.split('.')[1]}"
    assert event.get_type() == event_type
    assert event.get_specversion() == "1.0"
    assert event.get_subject() == "018f3b1e-0000-7000-8000-000000000108"
    assert event.get_time() == AT
    assert event.get_dataschema() == catalog.dataschema(event_type)
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("aggregateversion") == "7"
    assert event.get_extension("correlationid") == str(CORRELATION_ID)
    assert event.get_extension("causationid") == "018f3b1e-0000-7000-8000-0000000000c3"
    assert event.get_extension("actorid") == "user:018f3b1e-0000-7000-8000-0000000000d4"
    assert event.get_extension("dataclass") == catalog.data_class(event_type)
    assert event.get_data() == data


@pytest.mark.parametrize("causation_id", [None, "018f3b1e-0000-7000-8000-0000000000c3"])
def test_a_fact_survives_the_round_trip_through_the_package(
    catalog: Catalog, causation_id: str | None
) -> None:
    headers = sent(catalog, "crm.sales.order.paid.v1", "an-order", key="a-key", causation_id=causation_id)
    value = b'{"order_id":"an-order","note":"gr\xc3\xbc\xc3\x9fe"}'
    back = to_binary(from_binary(message(headers, value), JSONFormat()), JSONFormat())
    returned = {name: text.decode() for name, text in back.headers.items()}
    # The package carries CloudEvents attributes only; the trace context is a header of its own.
    assert {**returned, "traceparent": TRACE} == headers
    assert back.key == "a-key"
    assert fact_from({**returned, "traceparent": TRACE}, back.value) == fact_from(headers, value)
    assert ("ce_causationid" in returned) == (causation_id is not None)


def test_a_fact_made_by_the_package_is_read_as_ours(catalog: Catalog) -> None:
    headers = sent(catalog, "crm.sales.order.paid.v1", "an-order", traceparent=None)
    event = from_binary(message(headers, b'{"order_id": "an-order"}'), JSONFormat())
    theirs = to_binary(event, JSONFormat())
    fact = fact_from({name: text.decode() for name, text in theirs.headers.items()}, theirs.value)
    assert (fact.id, fact.type, fact.subject) == (str(EVENT_ID), "crm.sales.order.paid.v1", "an-order")
    assert (fact.version, fact.time, fact.key) == (7, AT, "an-order")
    assert (fact.correlation_id, fact.traceparent) == (CORRELATION_ID, None)
    assert fact.data == {"order_id": "an-order"}
