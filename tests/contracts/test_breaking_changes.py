"""The gate, against planted changes of every kind."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.breaking_changes import breaking_changes, released_catalog

SHIPPED = "crm.sales.order.shipped.v1"
PATH = "sales/order.shipped.v1.json"
RELEASED: dict[str, Any] = {
    "topics": [
        {
            "topic": "crm.sales.order",
            "service": "sales",
            "aggregate": "order",
            "key": "order_id",
            "description": "Orders.",
            "partitions": {"production": 12, "development": 3},
            "retention_days": 14,
            "on_poison": "park_key",
            "types": [{"type": SHIPPED, "says": "Shipped.", "schema": PATH}],
            "consumers": {},
        }
    ],
    "documents": {
        PATH: {
            "type": "object",
            "allOf": [{"$ref": "order.json#/$defs/state"}],
            "properties": {
                "carrier": {"type": "string", "enum": ["post", "freight"]},
                "reason": {"type": "string", "enum": ["late"], "x-open": True},
                "driver": {"type": "string", "x-pii": True},
                "address": {"anyOf": [{"$ref": "order.json#/$defs/address"}, {"type": "null"}]},
                "weight_grams": {"type": "integer", "minimum": 0},
            },
            "required": ["carrier"],
            "additionalProperties": True,
        },
        "sales/order.json": {
            "$defs": {
                "state": {
                    "type": "object",
                    "properties": {
                        "order_id": {"type": "string", "pattern": "^[0-9a-f-]+$"},
                        "note": {"type": ["string", "null"], "description": "Free text."},
                        "lines": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"quantity": {"type": "string"}},
                                "required": ["quantity"],
                            },
                        },
                    },
                    "required": ["order_id", "lines"],
                },
                "address": {
                    "type": "object",
                    "properties": {"lines": {"type": "array", "items": {"type": "string"}}},
                },
            }
        },
    },
}


def found(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """What the gate says after `change` was made to a copy of the release."""
    current = copy.deepcopy(RELEASED)
    change(current)
    return [str(item) for item in breaking_changes(released_catalog(RELEASED), released_catalog(current))]


def topic(now: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = now["topics"][0]
    return first


def shipped(now: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = now["documents"][PATH]
    return schema


def state(now: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = now["documents"]["sales/order.json"]["$defs"]["state"]
    return schema


def rename(members: dict[str, Any], old: str, new: str) -> None:
    members[new] = members.pop(old)


def move_type_to_a_new_topic(now: dict[str, Any]) -> None:
    now["topics"].append({**copy.deepcopy(topic(now)), "topic": "crm.sales.shipment"})
    topic(now)["types"] = []


BREAKING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "member removed": (
        lambda now: shipped(now)["properties"].pop("weight_grams"),
        f"{SHIPPED} weight_grams: was removed or renamed",
    ),
    "member renamed": (
        lambda now: rename(shipped(now)["properties"], "weight_grams", "weight"),
        f"{SHIPPED} weight_grams: was removed or renamed",
    ),
    "member of a shared state removed": (
        lambda now: state(now)["properties"].pop("note"),
        f"{SHIPPED} note: was removed or renamed",
    ),
    "member of a line renamed": (
        lambda now: rename(state(now)["properties"]["lines"]["items"]["properties"], "quantity", "pieces"),
        f"{SHIPPED} lines[].quantity: was removed or renamed",
    ),
    "no longer required": (
        lambda now: shipped(now)["required"].remove("carrier"),
        f"{SHIPPED} carrier: is no longer required: consumers rely on it",
    ),
    "became required": (
        lambda now: shipped(now)["required"].append("driver"),
        f"{SHIPPED}: driver became required: recorded facts may lack it",
    ),
    "type changed": (
        lambda now: shipped(now)["properties"]["weight_grams"].update(type="string"),
        f"{SHIPPED} weight_grams: was integer and is string",
    ),
    "became nullable": (
        lambda now: shipped(now)["properties"]["driver"].update(type=["string", "null"]),
        f"{SHIPPED} driver: was string and is null or string",
    ),
    "no longer nullable": (
        lambda now: shipped(now)["properties"].update(address={"$ref": "order.json#/$defs/address"}),
        f"{SHIPPED} address: was null or object and is object",
    ),
    "type of list items changed": (
        lambda now: now["documents"]["sales/order.json"]["$defs"]["address"]["properties"]["lines"].update(
            items={"type": "object"}
        ),
        f"{SHIPPED} address.lines[]: was string and is object",
    ),
    "value added to a closed list": (
        lambda now: shipped(now)["properties"]["carrier"]["enum"].append("drone"),
        f"{SHIPPED} carrier: the value drone was added: consumers do not know it",
    ),
    "value removed": (
        lambda now: shipped(now)["properties"]["carrier"]["enum"].remove("post"),
        f"{SHIPPED} carrier: the value post was removed: recorded facts hold it",
    ),
    "value removed from an open list": (
        lambda now: shipped(now)["properties"]["reason"]["enum"].remove("late"),
        f"{SHIPPED} reason: the value late was removed: recorded facts hold it",
    ),
    "list of values dropped": (
        lambda now: shipped(now)["properties"]["carrier"].pop("enum"),
        f"{SHIPPED} carrier: the list of values appeared or vanished",
    ),
    "pattern changed": (
        lambda now: state(now)["properties"]["order_id"].update(pattern="^.+$"),
        f"{SHIPPED} order_id: pattern changed",
    ),
    "limit changed": (
        lambda now: shipped(now)["properties"]["weight_grams"].update(minimum=1),
        f"{SHIPPED} weight_grams: minimum changed",
    ),
    "members closed": (
        lambda now: shipped(now).update(additionalProperties=False),
        f"{SHIPPED}: additionalProperties changed",
    ),
    "personal mark dropped": (
        lambda now: shipped(now)["properties"]["driver"].pop("x-pii"),
        f"{SHIPPED} driver: is no longer marked as personal data",
    ),
    "type removed": (
        lambda now: topic(now).update(types=[]),
        f"{SHIPPED}: the type was removed",
    ),
    "type moved": (
        move_type_to_a_new_topic,
        f"{SHIPPED}: moved from crm.sales.order to crm.sales.shipment",
    ),
    "key changed": (
        lambda now: topic(now).update(key="account_id"),
        "crm.sales.order: the key was order_id and is account_id: facts lose their order",
    ),
    "partitions changed": (
        lambda now: topic(now)["partitions"].update(production=24),
        "crm.sales.order: the number of partitions changed: keys move, facts lose their order",
    ),
}

HARMLESS: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda now: None,
    "optional member added": lambda now: shipped(now)["properties"].update(colour={"type": "string"}),
    "optional member added to a line": lambda now: state(now)["properties"]["lines"]["items"][
        "properties"
    ].update(serial={"type": "string"}),
    "type added": lambda now: topic(now)["types"].append(
        {"type": "crm.sales.order.lost.v1", "says": "Lost.", "schema": PATH}
    ),
    "topic added": lambda now: now["topics"].append({**topic(now), "topic": "crm.sales.other", "types": []}),
    "described better": lambda now: state(now)["properties"]["note"].update(description="What was said."),
    "member newly marked as personal": lambda now: state(now)["properties"]["note"].update({"x-pii": True}),
    "value added to an open list": lambda now: shipped(now)["properties"]["reason"]["enum"].append("rain"),
    "kept longer": lambda now: topic(now).update(retention_days=30),
    "new consumer": lambda now: topic(now).update(consumers={"support": [SHIPPED]}),
    "development partitions": lambda now: topic(now)["partitions"].update(development=1),
    "definition inlined": lambda now: shipped(now)["properties"].update(
        address={
            "type": ["object", "null"],
            "properties": {"lines": {"type": "array", "items": {"type": "string"}}},
        }
    ),
}


@pytest.mark.parametrize(("change", "verdict"), BREAKING.values(), ids=BREAKING)
def test_a_breaking_change_is_named_and_nothing_else(
    change: Callable[[dict[str, Any]], object], verdict: str
) -> None:
    assert found(change) == [verdict]


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_passes(change: Callable[[dict[str, Any]], object]) -> None:
    assert found(change) == []


def test_a_removed_topic_takes_its_types_with_it() -> None:
    assert found(lambda now: now["topics"].clear()) == [
        "crm.sales.order: the topic was removed",
        f"{SHIPPED}: the type was removed",
    ]
