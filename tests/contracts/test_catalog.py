"""What the rest of the code asks of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shared.contracts.catalog import Catalog, ContractViolation, UnknownType
from shared.contracts.personal_data import is_erasure

WON = "crm.sales.opportunity.won.v1"
MINIMAL = {
    "topic": "crm.sales.thing",
    "service": "sales",
    "aggregate": "thing",
    "key": "thing_id",
    "description": "Things.",
    "partitions": {"production": 12, "development": 3},
    "retention_days": 14,
    "on_poison": "park_key",
    "types": [
        {"type": "crm.sales.thing.made.v1", "says": "Made.", "schema": "sales/thing.made.v1.json"},
        {"type": "crm.sales.thing.sold.v1", "says": "Sold.", "schema": "sales/thing.sold.v1.json"},
    ],
    "consumers": {"support": ["crm.sales.thing.sold.v1"], "web": ["*"]},
}
THING = {
    "type": "object",
    "properties": {
        "thing_id": {"type": "string"},
        "parts": {
            "type": "array",
            "items": {"type": "object", "properties": {"weight_grams": {"type": "integer"}}},
        },
    },
    "required": ["thing_id"],
}


def test_a_type_knows_its_topic_schema_and_data_class(catalog: Catalog) -> None:
    assert catalog.topic_of(WON) == "crm.sales.opportunity"
    assert catalog.dataschema(WON) == "urn:crm:schema:sales/opportunity.won.v1"
    assert catalog.data_class(WON) == "none"
    assert catalog.data_class("crm.identity.user.changed.v1") == "pii"
    assert catalog.data_class("crm.sales.contact.created.v1") == "pii"
    assert catalog.data_class("crm.sales.order.submitted.v1") == "pii"
    assert catalog.data_class("crm.sales.order.paid.v1") == "none"


def test_a_topic_knows_its_types(catalog: Catalog) -> None:
    assert catalog.types_of("crm.sales.opportunity")[:2] == (
        "crm.sales.opportunity.created.v1",
        "crm.sales.opportunity.stage_changed.v1",
    )
    with pytest.raises(KeyError):
        catalog.types_of("crm.sales.nothing")


def test_a_service_knows_its_group_topics_and_types() -> None:
    catalog = Catalog(lambda: iter([MINIMAL]), lambda path: THING)
    assert catalog.group("support") == "crm.support"
    assert catalog.dead_letter_topic("support") == "crm.support.dlq"
    assert catalog.subscriptions("support") == {"crm.sales.thing"}
    assert catalog.subscriptions("sales") == frozenset()
    assert catalog.handled_types("support") == {"crm.sales.thing.sold.v1"}
    assert catalog.handled_types("web") == {"crm.sales.thing.made.v1", "crm.sales.thing.sold.v1"}


@pytest.mark.parametrize(
    "question", ["topic_of", "schema", "validator", "data_class", "dataschema", "event_type"]
)
def test_an_undeclared_type_is_unknown_to_every_question(catalog: Catalog, question: str) -> None:
    with pytest.raises(UnknownType, match=r"crm\.sales\.nothing\.happened\.v1 is not declared"):
        getattr(catalog, question)("crm.sales.nothing.happened.v1")


@pytest.mark.parametrize(
    ("data", "field", "reason"),
    [
        ({}, "thing_id", "is missing"),
        ({"thing_id": 7}, "thing_id", "must be string"),
        ({"thing_id": "a", "parts": [{}, {"weight_grams": "2"}]}, "parts[1].weight_grams", "must be integer"),
        ([], "data", "must be object"),
    ],
)
def test_a_violation_names_the_type_and_the_field(data: Any, field: str, reason: str) -> None:
    catalog = Catalog(lambda: iter([MINIMAL]), lambda path: THING)
    with pytest.raises(ContractViolation) as caught:
        catalog.validator("crm.sales.thing.made.v1")(data)
    assert caught.value.event_type == "crm.sales.thing.made.v1"
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert str(caught.value) == f"crm.sales.thing.made.v1: {field} {reason}"


def test_the_validator_takes_members_it_does_not_know_and_leaves_the_data_alone() -> None:
    catalog = Catalog(lambda: iter([MINIMAL]), lambda path: THING)
    data = {"thing_id": "a", "colour": "red"}
    catalog.validator("crm.sales.thing.made.v1")(data)
    assert data == {"thing_id": "a", "colour": "red"}


def test_nothing_is_read_before_it_is_asked_for() -> None:
    read: list[str] = []

    def declarations() -> Iterator[Mapping[str, Any]]:
        read.append("topics")
        yield MINIMAL

    def document(path: str) -> dict[str, Any]:
        read.append(path)
        return THING

    catalog = Catalog(declarations, document)
    assert read == []
    catalog.topic_of("crm.sales.thing.made.v1")
    assert read == ["topics"]
    first = catalog.validator("crm.sales.thing.made.v1")
    assert read == ["topics", "sales/thing.made.v1.json"]
    assert catalog.validator("crm.sales.thing.made.v1") is first
    assert catalog.schema("crm.sales.thing.made.v1") == THING
    assert read == ["topics", "sales/thing.made.v1.json"]


def test_the_packaged_catalogue_is_loaded_once() -> None:
    assert Catalog.load() is Catalog.load()


def test_which_facts_are_erasures() -> None:
    assert is_erasure("crm.sales.contact.erased.v1")
    assert is_erasure("crm.marketing.lead.erased.v2")
    assert not is_erasure("crm.sales.contact.changed.v1")
    assert not is_erasure("erased")


def test_blanked_data_keep_their_shape_and_lose_what_is_marked() -> None:
    address = {
        "type": "object",
        "properties": {"lines": {"type": "array", "items": {}, "x-pii": True}, "country": {"type": "string"}},
    }
    schema = {
        "type": "object",
        "properties": {
            "thing_id": {"type": "string"},
            "name": {"type": ["string", "null"], "x-pii": True},
            "marks": {"type": "object", "x-pii": True},
            "emails": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"address": {"type": "string", "x-pii": True}, "is_primary": {}},
                },
            },
            "address": {"anyOf": [address, {"type": "null"}]},
            "by_code": {"type": "object", "additionalProperties": {"type": "string", "x-pii": True}},
        },
    }
    catalog = Catalog(lambda: iter([MINIMAL]), lambda path: schema)
    data = {
        "thing_id": "t1",
        "name": "Ines",
        "marks": {"scar": "left"},
        "emails": [{"address": "ines@acme.example", "is_primary": True}],
        "address": {"lines": ["Lindenstr. 9"], "country": "DE"},
        "by_code": {"a": "Ines"},
        "from_a_later_version": 7,
    }
    assert catalog.blanked("crm.sales.thing.made.v1", data) == {
        "thing_id": "t1",
        "name": None,
        "marks": None,
        "emails": [{"address": None, "is_primary": True}],
        "address": {"lines": [], "country": "DE"},
        "by_code": {"a": None},
        "from_a_later_version": 7,
    }
    assert catalog.blanked("crm.sales.thing.made.v1", {"address": None}) == {"address": None}
