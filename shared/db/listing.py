"""Keyset pages over a select with allow-listed filters and sorts: no offsets, stable under writes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, tuple_
from sqlalchemy.orm import Session

__all__ = ["Listing", "Page", "at_least", "at_most", "equals", "one_of"]

Condition = Callable[[Any], ColumnElement[bool]]


def equals(column: Any) -> Condition:
    """`?name=value`."""
    return lambda value: column == value


def at_least(column: Any) -> Condition:
    """`?name_gte=value`."""
    return lambda value: column >= value


def at_most(column: Any) -> Condition:
    """`?name_lte=value`."""
    return lambda value: column <= value


def one_of(column: Any) -> Condition:
    """`?ids=a,b,c`: any of the values."""
    return lambda values: column.in_(values)


@dataclass(frozen=True, slots=True)
class Page:
    """`items` are rows (attribute access by column name); `next` resumes after the last one, None at the
    end."""

    items: Sequence[Row[Any]]
    next: list[str] | None


_PARSERS: dict[type, Callable[[str], Any]] = {
    uuid.UUID: uuid.UUID,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
    int: int,
    str: str,
}


@dataclass(frozen=True)
class Listing:
    """A list that callers may filter, sort and page.

    `select` picks columns, not entities. `sorts` maps a public name to a column or expression that is never
    null (coalesce it); `key` is the unique tie-breaker. A leading `-` in a sort means descending.
    """

    select: Select[*tuple[Any, ...]]
    key: SQLColumnExpression[Any]
    filters: Mapping[str, Condition] = field(default_factory=dict)
    sorts: Mapping[str, SQLColumnExpression[Any]] = field(default_factory=dict)
    default_sort: str = "-created_at"

    def page(
        self,
        session: Session,
        arguments: Mapping[str, Any],
        *where: ColumnElement[bool],
    ) -> Page:
        """One page. `arguments`: filter values by name, `sort`, `limit`, `cursor` (an earlier `next`).

        Raises ValueError when the cursor does not fit the sort.
        """
        limit = arguments.get("limit") or 50
        sort = arguments.get("sort") or self.default_sort
        descending = sort.startswith("-")
        sort_column = self.sorts[sort.removeprefix("-")]
        conditions = [self.filters[name](value) for name, value in arguments.items() if name in self.filters]
        query = self.select.where(*where, *conditions)
        position = tuple_(sort_column, self.key)
        if (cursor := arguments.get("cursor")) is not None:
            after = tuple_(*_values(cursor, sort_column, self.key))
            query = query.where(position < after if descending else position > after)
        order = (sort_column, self.key)
        rows = session.execute(
            query.add_columns(sort_column.label("_sort"), self.key.label("_key"))
            .order_by(*(column.desc() if descending else column.asc() for column in order))
            .limit(limit + 1)
        ).all()
        if len(rows) <= limit:
            return Page(rows, None)
        last = rows[limit - 1]
        return Page(rows[:limit], [_text(last._sort), _text(last._key)])


def _values(cursor: Sequence[str], *columns: Any) -> list[Any]:
    if len(cursor) != len(columns):
        raise ValueError("the cursor does not belong to this list")
    try:
        return [
            _PARSERS[column.type.python_type](value) for column, value in zip(columns, cursor, strict=True)
        ]
    except InvalidOperation as error:
        raise ValueError("the cursor does not belong to this list") from error


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
