"""What every mapped class stands on: naming convention, column types, and the aggregate root."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import CHAR, BigInteger, DateTime, MetaData, Numeric, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Composite, Mapped, Mapper, composite, declared_attr, mapped_column

from shared.kernel.errors import Stale
from shared.kernel.events import Event
from shared.kernel.ids import new_id
from shared.kernel.money import Money

__all__ = ["TYPES", "AggregateRoot", "Recorded", "money", "new_metadata", "parts_of"]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

TYPES: dict[Any, Any] = {
    uuid.UUID: Uuid(),
    datetime: DateTime(timezone=True),
    Decimal: Numeric(19, 4),
    dict[str, Any]: JSONB(),
    list[Any]: JSONB(),
    list[dict[str, Any]]: JSONB(),
    list[str]: JSONB(),
}
"""`type_annotation_map` of every service's declarative base."""

_order = itertools.count()


def new_metadata() -> MetaData:
    """Metadata with the naming convention that all constraints follow."""
    return MetaData(naming_convention=NAMING)


def money(name: str, *, nullable: bool = False) -> Composite[Any]:
    """Two columns, `<name>` and `<name>_currency`, read and written as one `Money` (None when nullable)."""
    return composite(
        # The history of a change holds only the column that changed: half an amount is no money.
        lambda amount, currency: None if None in (amount, currency) else Money.of(amount, currency),
        # The attribute is the composite's; the column of the same name gets a key of its own.
        mapped_column(name, Numeric(19, 4), key=f"{name}_amount", nullable=nullable),
        mapped_column(f"{name}_currency", CHAR(3), nullable=nullable),
    )


@cache
def parts_of(mapper: Mapper[Any]) -> tuple[str, ...]:
    """The attributes of an aggregate that hold its parts: rows of other tables that live and die with it."""
    if not issubclass(mapper.class_, AggregateRoot):
        return ()
    return tuple(each.key for each in mapper.relationships if each.cascade.delete_orphan and each.uselist)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as an aggregate recorded it, waiting for the commit."""

    order: int
    event: Event
    event_no: int
    key: str | None


class AggregateRoot:
    """Mixin of every aggregate root.

    Two counters, never one: `version` moves with every change (it is the ETag and the optimistic lock),
    `event_no` with every recorded fact (it is the `ce_aggregateversion` of the message).
    `root_correlation_id` is the chain that made the aggregate; facts recorded later hang on it.
    """

    AGGREGATE: ClassVar[str]
    """Name of the aggregate on the wire, for example `opportunity`."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(BigInteger, nullable=False)
    event_no: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    root_correlation_id: Mapped[uuid.UUID]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]

    def record(self, event: Event, *, key: str | None = None) -> None:
        """Note a fact about this aggregate; the unit of work publishes it with the commit.

        `key`: partition key where it is not the aggregate's own id.
        """
        self.event_no = (self.event_no or 0) + 1
        pending: list[Recorded] = self.__dict__.setdefault("_recorded", [])
        pending.append(Recorded(next(_order), event, self.event_no, key))

    def take_recorded(self) -> Iterator[Recorded]:
        """The facts recorded since the last flush, once."""
        yield from self.__dict__.pop("_recorded", ())

    def drop_recorded(self) -> None:
        """Forget the facts recorded since the last flush: what made them is undone."""
        self.__dict__.pop("_recorded", None)

    def check_version(self, expected: int | None) -> None:
        """Raise Stale unless `expected` is None or the present version."""
        if expected is not None and expected != self.version:
            raise Stale(
                f"You changed version {expected}, but the {self.AGGREGATE.replace('_', ' ')} is at version"
                f" {self.version} now. Read it again and repeat your change.",
                current_version=self.version,
            )
