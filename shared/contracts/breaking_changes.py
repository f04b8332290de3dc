"""The gate between the last release and now: what would break a consumer, or a fact already recorded.

Facts are kept for ever and are replayed, so a change must work in both directions: consumers written for the
release must understand new facts, and facts recorded under the release must still be valid. Adding optional
members, types and topics does; nearly everything else needs a new type (`.v2`) beside the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.catalog import Catalog, Topic
from shared.contracts.dereference import Schema

__all__ = ["Break", "breaking_changes", "released_catalog"]

OPEN_ENUM = "x-open"
"""Marks a value list that consumers know to be incomplete: values may be added."""

_CONSTRAINTS = (
    "additionalProperties",
    "anyOf",
    "const",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "uniqueItems",
)


@dataclass(frozen=True, slots=True)
class Break:
    """One breaking change. `where`: a topic, or a type and the path of a member."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def released_catalog(released: Mapping[str, Any]) -> Catalog:
    """The catalogue as of a release: `{"topics": [declaration], "documents": {path: schema document}}`."""
    return Catalog(lambda: iter(released["topics"]), released["documents"].__getitem__)


def breaking_changes(released: Catalog, current: Catalog) -> list[Break]:
    """What in `current` breaks those who rely on `released`."""
    found: list[Break] = []
    for topic in released.topics.values():
        found += _topic_breaks(topic, current)
        for entry in topic.types:
            found += _type_breaks(entry.type, topic, released, current)
    return found


def _topic_breaks(topic: Topic, current: Catalog) -> Iterator[Break]:
    now = current.topics.get(topic.name)
    if now is None:
        yield Break(topic.name, "the topic was removed")
        return
    if now.key != topic.key:
        yield Break(topic.name, f"the key was {topic.key} and is {now.key}: facts lose their order")
    if now.partitions["production"] != topic.partitions["production"]:
        yield Break(topic.name, "the number of partitions changed: keys move, facts lose their order")


def _type_breaks(event_type: str, topic: Topic, released: Catalog, current: Catalog) -> Iterator[Break]:
    if event_type not in current.types:
        yield Break(event_type, "the type was removed")
        return
    if current.topic_of(event_type) != topic.name:
        yield Break(event_type, f"moved from {topic.name} to {current.topic_of(event_type)}")
    yield from _schema_breaks(event_type, released.schema(event_type), current.schema(event_type))


def _schema_breaks(where: str, old: Schema, new: Schema) -> Iterator[Break]:
    if _kinds(old) != _kinds(new):
        yield Break(where, f"was {_spoken(old)} and is {_spoken(new)}")
        return
    yield from _value_breaks(where, old, new)
    yield from _member_breaks(where, old, new)
    if isinstance(old.get("items"), dict):
        yield from _schema_breaks(f"{where}[]", old["items"], new.get("items", {}))


def _value_breaks(where: str, old: Schema, new: Schema) -> Iterator[Break]:
    for constraint in _CONSTRAINTS:
        if _bare(old.get(constraint)) != _bare(new.get(constraint)):
            yield Break(where, f"{constraint} changed")
    if old.get("x-pii") and not new.get("x-pii"):
        yield Break(where, "is no longer marked as personal data")
    if ("enum" in old) != ("enum" in new):
        yield Break(where, "the list of values appeared or vanished")
        return
    before, after = old.get("enum", []), new.get("enum", [])
    for value in before:
        if value not in after:
            yield Break(where, f"the value {value} was removed: recorded facts hold it")
    for value in after:
        if value not in before and not old.get(OPEN_ENUM):
            yield Break(where, f"the value {value} was added: consumers do not know it")


def _member_breaks(where: str, old: Schema, new: Schema) -> Iterator[Break]:
    members, now = old.get("properties", {}), new.get("properties", {})
    was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
    for name, member in members.items():
        path = f"{where} {name}" if " " not in where else f"{where}.{name}"
        if name not in now:
            yield Break(path, "was removed or renamed")
            continue
        if name in was_required and name not in is_required:
            yield Break(path, "is no longer required: consumers rely on it")
        yield from _schema_breaks(path, member, now[name])
    for name in sorted(is_required - was_required):
        yield Break(where, f"{name} became required: recorded facts may lack it")


def _kinds(schema: Schema) -> frozenset[str]:
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _spoken(schema: Schema) -> str:
    return " or ".join(sorted(_kinds(schema))) or "anything"


def _bare(value: Any) -> Any:
    """A constraint without its prose, so that a better description is no change."""
    match value:
        case dict():
            return {key: _bare(item) for key, item in value.items() if key != "description"}
        case list():
            return [_bare(item) for item in value]
        case _:
            return value
