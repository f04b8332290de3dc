"""The catalogue: which facts exist, on which topic they travel, what they look like and who listens.

Every process loads it, so nothing is read before it is asked for: topic files on the first question, a schema
when its type is first used, a validator when the first message of its type comes by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import fastjsonschema
import yaml

from shared.contracts.dereference import Schema, dereferenced
from shared.contracts.personal_data import blanked, is_personal

__all__ = [
    "Catalog",
    "ContractViolation",
    "EventType",
    "Topic",
    "UnknownType",
    "Validator",
    "read_declarations",
]

HERE = Path(__file__).parent
EVERY_TYPE = "*"

Validator = Callable[[Mapping[str, Any]], None]


class UnknownType(LookupError):
    """No topic declares the event type."""


class ContractViolation(ValueError):
    """Data does not fit the schema of its type. `field`: path of the wrong member, `data` for the whole."""

    def __init__(self, event_type: str, field: str, reason: str) -> None:
        super().__init__(f"{event_type}: {field} {reason}")
        self.event_type = event_type
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of fact. `schema`: path of its schema below the schema folder."""

    type: str
    says: str
    schema: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A declared topic. `key`: the data member that is the record key; `partitions`: number per environment;
    `consumers`: service to the types it handles."""

    name: str
    service: str
    aggregate: str
    key: str
    description: str
    partitions: Mapping[str, int]
    retention_days: int
    on_poison: str
    types: tuple[EventType, ...]
    consumers: Mapping[str, frozenset[str]]


def _declared(declaration: Mapping[str, Any]) -> Topic:
    """The topic a YAML declaration describes. Raises KeyError naming a missing entry."""
    types = tuple(EventType(**entry) for entry in declaration["types"])
    names = frozenset(entry.type for entry in types)
    return Topic(
        name=declaration["topic"],
        service=declaration["service"],
        aggregate=declaration["aggregate"],
        key=declaration["key"],
        description=declaration["description"],
        partitions=declaration["partitions"],
        retention_days=declaration["retention_days"],
        on_poison=declaration["on_poison"],
        types=types,
        consumers={
            service: names if handled == [EVERY_TYPE] else frozenset(handled)
            for service, handled in declaration["consumers"].items()
        },
    )


class Catalog:
    """All topics, types and schemas. `declarations` yields the topic declarations, `load_document` gives the
    schema document at a path; both are called lazily."""

    def __init__(
        self,
        declarations: Callable[[], Iterator[Mapping[str, Any]]],
        load_document: Callable[[str], Schema],
    ) -> None:
        self._declarations = declarations
        self.document = load_document
        self._schemas: dict[str, Schema] = {}
        self._validators: dict[str, Validator] = {}
        self._data_classes: dict[str, str] = {}

    @classmethod
    def load(cls) -> Catalog:
        """The catalogue shipped with this package; one per process."""
        return _packaged()

    @cached_property
    def topics(self) -> Mapping[str, Topic]:
        """Topic name to declaration, in alphabetical order."""
        topics = map(_declared, self._declarations())
        return {topic.name: topic for topic in sorted(topics, key=lambda topic: topic.name)}

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Topic, EventType]]:
        return {entry.type: (topic, entry) for topic in self.topics.values() for entry in topic.types}

    @property
    def types(self) -> tuple[str, ...]:
        """Every declared event type."""
        return tuple(self._by_type)

    def _found(self, event_type: str) -> tuple[Topic, EventType]:
        try:
            return self._by_type[event_type]
        except KeyError:
            raise UnknownType(f"{event_type} is not declared in any topic") from None

    def event_type(self, event_type: str) -> EventType:
        """The declaration of a type. Raises UnknownType."""
        return self._found(event_type)[1]

    def topic_of(self, event_type: str) -> str:
        """Name of the topic the type travels on. Raises UnknownType."""
        return self._found(event_type)[0].name

    def types_of(self, topic: str) -> tuple[str, ...]:
        """The types that travel on a topic. Raises KeyError when the topic is not declared."""
        return tuple(entry.type for entry in self.topics[topic].types)

    def schema(self, event_type: str) -> Schema:
        """The type's schema without references. Raises UnknownType."""
        if event_type not in self._schemas:
            self._schemas[event_type] = dereferenced(self.event_type(event_type).schema, self.document)
        return self._schemas[event_type]

    def validator(self, event_type: str) -> Validator:
        """A function that checks data against the type's schema and raises ContractViolation.

        Compiled on first use. Raises UnknownType.
        """
        if event_type not in self._validators:
            self._validators[event_type] = _compiled(event_type, self.schema(event_type))
        return self._validators[event_type]

    def data_class(self, event_type: str) -> str:
        """`pii` when the type may carry personal data, else `none`: the `ce_dataclass` header."""
        if event_type not in self._data_classes:
            self._data_classes[event_type] = "pii" if is_personal(self.schema(event_type)) else "none"
        return self._data_classes[event_type]

    def blanked(self, event_type: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data without what the type's schema marks as personal. Raises UnknownType."""
        without: Mapping[str, Any] = blanked(data, self.schema(event_type))
        return without

    def dataschema(self, event_type: str) -> str:
        """The `ce_dataschema` header: `urn:crm:schema:sales/opportunity.won.v1`."""
        return f"urn:crm:schema:{self.event_type(event_type).schema.removesuffix('.json')}"

    def subscriptions(self, service: str) -> frozenset[str]:
        """The topics a service consumes."""
        return frozenset(topic.name for topic in self.topics.values() if service in topic.consumers)

    def handled_types(self, service: str) -> frozenset[str]:
        """The types a service says it handles."""
        return frozenset().union(*(topic.consumers.get(service, ()) for topic in self.topics.values()))

    def group(self, service: str) -> str:
        """The consumer group of a service."""
        return f"crm.{service}"

    def dead_letter_topic(self, service: str) -> str:
        """Where the service's group puts what it gave up on."""
        return f"{self.group(service)}.dlq"


def _compiled(event_type: str, schema: Schema) -> Validator:
    # fastjsonschema knows draft 7; a test sees to it that the schemas use nothing that differs from it.
    check = fastjsonschema.compile(schema, use_default=False)

    def validate(data: Mapping[str, Any]) -> None:
        try:
            check(data)
        except fastjsonschema.JsonSchemaValueException as error:
            place, reason = str(error.message).split(" ", 1)
            if error.rule == "required":
                missing = next(name for name in error.rule_definition if name not in error.value)
                place, reason = f"{place}.{missing}", "is missing"
            raise ContractViolation(event_type, place.removeprefix("data."), reason) from None

    return validate


@cache
def _packaged() -> Catalog:
    return Catalog(lambda: read_declarations(HERE / "topics"), _reader(HERE / "schemas"))


def read_declarations(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The topic declarations in `folder`, in alphabetical order."""
    for file in sorted(folder.glob("*.yaml")):
        yield yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)


def _reader(folder: Path) -> Callable[[str], Schema]:
    @cache
    def read(path: str) -> Schema:
        document: Schema = json.loads((folder / path).read_bytes())
        return document

    return read
