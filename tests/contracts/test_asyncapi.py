"""The generated AsyncAPI document, against the official schema of AsyncAPI 3.0.0.

`asyncapi-3.0.0.schema.json.gz` is `schemas/3.0.0-without-$id.json` of the npm package `@asyncapi/specs` 6.11,
unchanged, under the Apache License 2.0.
"""

from __future__ import annotations

import copy
import gzip
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from shared.contracts import asyncapi
from shared.contracts.catalog import Catalog, Topic
from shared.messaging.envelope import to_headers


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return asyncapi.document(catalog)


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    packed = Path(__file__).parent / "asyncapi-3.0.0.schema.json.gz"
    return Draft7Validator(json.loads(gzip.decompress(packed.read_bytes())))


def resolved(document: dict[str, Any], reference: str) -> Any:
    """What a `$ref` inside the document points to. Raises KeyError."""
    target: Any = document
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return target


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*(references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(references(item) for item in part))
    return set()


def test_the_document_is_valid_asyncapi(document: dict[str, Any], official: Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(document)] == []


def test_the_official_schema_refuses_a_wrong_document(
    document: dict[str, Any], official: Draft7Validator
) -> None:
    wrong = copy.deepcopy(document)
    wrong["operations"]["sales.send.crm.sales.order"]["action"] = "shout"
    assert not official.is_valid(wrong)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert len(found) > 100
    for reference in found:
        assert reference.startswith("#/"), reference
        resolved(document, reference)


def test_a_topic_is_a_channel_that_its_service_sends_to(document: dict[str, Any], topic: Topic) -> None:
    channel = document["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    assert channel["address"] == topic.name
    assert set(channel["messages"]) == {entry.type for entry in topic.types}
    assert kafka["partitions"] == topic.partitions["production"]
    assert kafka["topicConfiguration"]["retention.ms"] == topic.retention_days * 86_400_000
    send = document["operations"][f"{topic.service}.send.{topic.name}"]
    assert send["action"] == "send"
    assert len(send["messages"]) == len(topic.types)


def test_a_consumer_receives_in_its_group_what_it_handles(document: dict[str, Any], topic: Topic) -> None:
    for service, types in topic.consumers.items():
        receive = document["operations"][f"{service}.receive.{topic.name}"]
        assert receive["action"] == "receive"
        assert receive["bindings"]["kafka"]["groupId"]["enum"] == [f"crm.{service}"]
        handled = {message["$ref"].rpartition("/")[2] for message in receive["messages"]}
        assert handled == types


def test_messages_describe_exactly_the_headers_that_are_sent(
    document: dict[str, Any], catalog: Catalog
) -> None:
    event_type = "crm.sales.opportunity.won.v1"
    sent = to_headers(
        event_id=uuid.UUID(int=1),
        source="/crm/sales",
        event_type=event_type,
        subject="a",
        time=datetime(2026, 3, 2, tzinfo=UTC),
        dataschema=catalog.dataschema(event_type),
        key="a",
        version=3,
        correlation_id=uuid.UUID(int=2),
        causation_id="b",
        actor_id="user:c",
        data_class=catalog.data_class(event_type),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    common, fixed = document["components"]["messages"][event_type]["headers"]["allOf"]
    common = resolved(document, common["$ref"])
    assert set(common["properties"]) | set(fixed["properties"]) == set(sent)
    for name, schema in fixed["properties"].items():
        assert schema["const"] == sent[name]
    assert set(common["properties"]) - set(common["required"]) == {"ce_causationid", "traceparent"}


def test_the_text_is_the_document_and_always_the_same(document: dict[str, Any], catalog: Catalog) -> None:
    text = asyncapi.rendered(catalog)
    assert yaml.load(text, Loader=yaml.CSafeLoader) == document
    assert asyncapi.rendered(catalog) == text
