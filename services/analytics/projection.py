"""What a projection is: a name, the tables it fills, and a pure function from one archived fact to rows.

A projection is a function of the *set* of archived facts. The row function sees one fact and nothing else: no
clock, no random source, no other row, no float. What happens when rows meet (the newest version stays, every
version stays, every fact stays) is decided by the table and does not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

__all__ = ["ArchivedFact", "Data", "Projection", "Row", "Rows"]

Data = dict[str, Any]
"""The members of a fact's message."""

Row = dict[str, Any]
"""Column to value: JSON values, instants, and amounts as text."""

Rows = Iterable[tuple[str, Row]]
"""Pairs of table name and row."""


@dataclass(frozen=True, slots=True)
class ArchivedFact:
    """A fact as the archive holds it. `aggregate` is `crm.<service>.<aggregate>`; `effective_at` is the
    business time that the fact itself names, else the time it was recorded at its source."""

    position: int
    event_id: str
    source: str
    type: str
    aggregate_id: str
    version: int
    occurred_at: datetime
    effective_at: datetime
    correlation_id: str
    actor_id: str
    payload: bytes

    def read(self) -> Data:
        """The fact's data. They are read anew each time: a batch holds thousands of facts, few at a time are open.

        Raises ValueError for what is no JSON object.
        """
        found: Data = orjson.loads(self.payload)
        return found

    @property
    def aggregate(self) -> str:
        return self.type.rsplit(".", 2)[0]

    @property
    def key(self) -> str:
        """Whose order matters: facts of one key are applied in the order of the archive."""
        return f"{self.aggregate}/{self.aggregate_id}"


@dataclass(frozen=True)
class Projection:
    """`version` grows when `rows` or a table changes; `reads` are prefixes of the types it takes."""

    name: str
    version: int
    tables: tuple[str, ...]
    reads: tuple[str, ...]
    rows: Callable[[ArchivedFact, Data], Rows]

    def wants(self, fact: ArchivedFact) -> bool:
        """Whether the fact is of a type that this projection reads."""
        return fact.type.startswith(self.reads)
