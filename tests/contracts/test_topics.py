"""The declarations themselves: names, keys, consumers, and nothing left lying about."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import services
from shared.contracts.catalog import Catalog, Topic

SERVICES = {path.parent.name for path in Path(services.__path__[0]).glob("*/wiring.py")}
ID_PATTERN = "[0-9a-f]{12}$"


def is_dead_letter_topic(topic: Topic) -> bool:
    return topic.aggregate == "dead_letter"


def test_a_topic_is_declared_in_the_file_named_for_it(contracts_folder: Path) -> None:
    for file in (contracts_folder / "topics").iterdir():
        assert yaml.safe_load(file.read_text())["topic"] == file.stem


def test_a_topic_and_its_types_are_named_for_service_and_aggregate(topic: Topic) -> None:
    last = "dlq" if is_dead_letter_topic(topic) else topic.aggregate
    assert topic.name == f"crm.{topic.service}.{last}"
    assert topic.service in SERVICES
    assert topic.types
    for entry in topic.types:
        prefix, version = entry.type.rsplit(".", 1)
        assert prefix.rpartition(".")[0] == f"crm.{topic.service}.{topic.aggregate}"
        assert version == "v1"
        assert entry.says.endswith(".")


def test_every_type_is_declared_once(catalog: Catalog) -> None:
    declared = Counter(entry.type for topic in catalog.topics.values() for entry in topic.types)
    assert {name for name, times in declared.items() if times > 1} == set()
    assert len(declared) == len(catalog.types)


def test_partitions_are_fixed_for_both_environments(topic: Topic) -> None:
    expected = {"production": 3, "development": 1} if is_dead_letter_topic(topic) else None
    assert topic.partitions == (expected or {"production": 12, "development": 3})


def test_facts_wait_behind_a_poisoned_one_of_their_key_but_dead_letters_do_not(topic: Topic) -> None:
    assert topic.on_poison == ("skip" if is_dead_letter_topic(topic) else "park_key")
    assert topic.retention_days == (90 if is_dead_letter_topic(topic) else 14)


def test_the_key_is_a_required_id_in_every_type_of_the_topic(catalog: Catalog, topic: Topic) -> None:
    if is_dead_letter_topic(topic):
        assert topic.key == "ce_partitionkey"
        return
    for name in catalog.types_of(topic.name):
        schema = catalog.schema(name)
        assert topic.key in schema["required"], name
        assert schema["properties"][topic.key]["pattern"].endswith(ID_PATTERN), name


def test_consumers_are_services_and_handle_types_of_the_topic(topic: Topic) -> None:
    assert set(topic.consumers) <= SERVICES
    for service, types in topic.consumers.items():
        assert types, f"{service} subscribes to {topic.name} and handles nothing"
        assert types <= {entry.type for entry in topic.types}, service


def test_every_group_has_its_dead_letter_topic(catalog: Catalog) -> None:
    for service in SERVICES:
        topic = catalog.topics[catalog.dead_letter_topic(service)]
        assert [entry.type for entry in topic.types] == [f"crm.{service}.dead_letter.buried.v1"]


def test_a_schema_describes_one_type_and_is_named_for_it(catalog: Catalog, event_type: str) -> None:
    _, service, aggregate, past, version = event_type.split(".")
    own = f"{aggregate}.{past}.{version}.json"
    path = catalog.event_type(event_type).schema
    assert path == (own if aggregate == "dead_letter" else f"{service}/{own}")


def test_no_schema_and_no_example_is_left_without_a_type(catalog: Catalog, contracts_folder: Path) -> None:
    used = {catalog.event_type(name).schema for name in catalog.types}
    schemas = contracts_folder / "schemas"
    stored = {path.relative_to(schemas).as_posix() for path in schemas.rglob("*.v[0-9]*.json")}
    assert stored == used
    examples = contracts_folder / "examples"
    shown = {path.parent.relative_to(examples).as_posix() for path in examples.rglob("*.json")}
    assert shown == {path.removesuffix(".json") for path in used}


def test_every_shared_definition_is_used(contracts_folder: Path) -> None:
    schemas = contracts_folder / "schemas"
    texts = {path: path.read_text() for path in schemas.rglob("*.json")}
    for path, text in texts.items():
        for name in yaml.safe_load(text).get("$defs", {}):
            reference = f"#/$defs/{name}"
            assert any(f'{reference}"' in other for other in texts.values()), f"{path.name} {reference}"


@pytest.mark.parametrize(
    ("consumer", "handled"),
    [
        ("erp", {"crm.sales.order.submitted.v1", "crm.sales.order.cancel_requested.v1"}),
        ("sales", {"crm.erp.order.accepted.v1", "crm.marketing.lead.qualified.v1"}),
        ("support", {"crm.sales.opportunity.won.v1", "crm.sales.order.acknowledged.v1"}),
        ("fieldservice", {"crm.sales.order.submitted.v1", "crm.sales.order.rejected.v1"}),
        ("marketing", {"crm.sales.lead.accepted.v1", "crm.sales.lead.returned.v1"}),
    ],
)
def test_the_hand_offs_between_services_are_declared(
    catalog: Catalog, consumer: str, handled: set[Any]
) -> None:
    assert handled <= catalog.handled_types(consumer)


def test_analytics_hears_every_fact(catalog: Catalog, topic: Topic) -> None:
    if is_dead_letter_topic(topic):
        assert topic.consumers == {}
        return
    everything = {entry.type for entry in topic.types}
    assert topic.consumers["analytics"] == everything
