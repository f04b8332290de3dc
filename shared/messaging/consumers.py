"""Handlers of facts, and the table that says which handler takes which type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from shared.kernel.errors import Permanent
from shared.messaging.envelope import Fact

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["Consumers", "Handler", "handles"]

HandlerFunction = Callable[[Fact, "UnitOfWork"], None]


@dataclass(frozen=True)
class Handler:
    """A function that applies facts of some types, reading only the fields its schema declares."""

    types: tuple[str, ...]
    apply: HandlerFunction
    schema: Schema

    @property
    def name(self) -> str:
        return self.apply.__name__

    def __call__(self, fact: Fact, uow: UnitOfWork) -> None:
        """Apply `fact`. Raises Permanent when its data lacks what the handler reads."""
        try:
            data = self.schema.load(fact.data)
        except ValidationError as error:
            raise Permanent(f"{self.name} cannot read {fact.type}: {error.messages}") from error
        self.apply(fact.with_data(data), uow)


def handles(*types: str, reads: type[Schema]) -> Callable[[HandlerFunction], Handler]:
    """Declare a function as the handler of `types`. `reads` is the marshmallow schema of the fields it uses;
    whatever else the message carries is ignored, at every depth."""

    def declare(function: HandlerFunction) -> Handler:
        schema = reads(unknown=EXCLUDE)
        _ignore_the_rest(schema.fields.values())
        return Handler(types, function, schema)

    return declare


def _ignore_the_rest(members: Iterable[Any]) -> None:
    """marshmallow does not hand `unknown` down: a nested schema refuses what it does not know, so a producer
    that adds a member to a line would stop every consumer."""
    for member in members:
        match member:
            case fields.Nested():
                member.unknown = EXCLUDE
                _ignore_the_rest(member.schema.fields.values())
            case fields.List():
                _ignore_the_rest([member.inner])
            case fields.Dict():
                _ignore_the_rest([member.value_field])
            case fields.Tuple():
                _ignore_the_rest(member.tuple_fields)


@dataclass(frozen=True)
class Consumers:
    """A service's topic -> handler table."""

    handlers: Mapping[str, tuple[Handler, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, handlers: Iterable[Handler]) -> Consumers:
        """The table of `handlers`; several may take the same type, they run in the order given."""
        table: dict[str, tuple[Handler, ...]] = {}
        for handler in handlers:
            for event_type in handler.types:
                table[event_type] = (*table.get(event_type, ()), handler)
        return cls(table)

    @property
    def types(self) -> frozenset[str]:
        """The types that have a handler."""
        return frozenset(self.handlers)

    def apply(self, fact: Fact, uow: UnitOfWork) -> None:
        """Run every handler of the fact's type."""
        for handler in self.handlers[fact.type]:
            handler(fact, uow)
