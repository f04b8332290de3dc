"""Apply a stored mapping to the rows of a file: pure, no I/O.

A mapping says for each field of ours where it comes from:

    column: engage_date            the cell of that column
    text: "deal:{opportunity_id}"  or a text made of cells
    values: {technolgy: technology}  cells that stand for another value, before anything else is done
    type: text | integer | date | money | price | slug
    date_format: "%m/%d/%Y"        of dates that are not ISO 8601
    scale: 1000000                 factor of a number
    look_up: {table: products, gives: sku, missing: refuse | warn | leave_empty}
    default: ...                   where the cell is empty
    else: {column: ..., ...}       or another rule for that case

A look-up goes by natural key and forgives spelling: capitals, spaces, punctuation and accents do not count, so
`GTXPro` finds `GTX Pro`. What it cannot find is refused, kept with a warning, or left empty, as the mapping says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from string import Formatter
from typing import Any

__all__ = ["MappedRow", "Table", "columns", "fold", "map_row", "slug"]

_NOT_WORD = re.compile(r"[^a-z0-9]+")


def _plain(text: str) -> str:
    without_accents = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return without_accents.lower()


def fold(text: str) -> str:
    """What is left of a name when spelling does not count: `GTX Pro` and `gtx-PRO` are both `gtxpro`."""
    return _NOT_WORD.sub("", _plain(text))


def slug(text: str) -> str:
    """A name as part of a key or an address: `Dustin Brinkmann` is `dustin-brinkmann`."""
    return _NOT_WORD.sub("-", _plain(text)).strip("-")


class Table:
    """Records to look up by natural key. Raises ValueError when two keys are the same but for spelling."""

    def __init__(self, records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self._records: dict[str, Mapping[str, Any]] = {}
        for key, record in records:
            if self._records.setdefault(fold(key), record) is not record:
                raise ValueError(f"{key!r} stands there twice, but for its spelling")

    def find(self, key: str) -> Mapping[str, Any] | None:
        """The record of `key`, however it is spelt."""
        return self._records.get(fold(key))


@dataclass
class MappedRow:
    """A row in our fields. `errors` refuse it, `warnings` do not."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def columns(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The columns that the rules of `fields` speak of."""
    for rule in fields.values():
        if "column" in rule:
            yield rule["column"]
        yield from (name for _, name, _, _ in Formatter().parse(rule.get("text", "")) if name)
        yield from columns({"else": rule["else"]} if "else" in rule else {})


def map_row(
    row: Mapping[str, str],
    fields: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Table],
    currency: str,
) -> MappedRow:
    """`row` (cells by column) in our fields; money is in `currency`."""
    mapped = MappedRow()
    for name, rule in fields.items():
        try:
            value = _value(row, rule, tables, currency, mapped.warnings)
        except (ValueError, InvalidOperation) as error:
            mapped.errors.append(f"{name}: {error}")
        else:
            if value is not None:
                mapped.values[name] = value
    return mapped


def _value(
    row: Mapping[str, str],
    rule: Mapping[str, Any],
    tables: Mapping[str, Table],
    currency: str,
    warnings: list[str],
) -> Any:
    cell = _cell(row, rule)
    cell = rule.get("values", {}).get(cell, cell)
    if cell in ("", None):
        if "else" in rule:
            return _value(row, rule["else"], tables, currency, warnings)
        return rule.get("default")
    if "look_up" in rule:
        return _looked_up(str(cell), rule, tables, currency, warnings)
    return _typed(cell, rule, currency)


def _cell(row: Mapping[str, str], rule: Mapping[str, Any]) -> Any:
    if "text" in rule:
        return rule["text"].format_map(row)
    if "column" not in rule:
        return None
    if rule["column"] not in row:
        raise ValueError(f"the file has no column {rule['column']}")
    return (row[rule["column"]] or "").strip()


def _looked_up(
    key: str, rule: Mapping[str, Any], tables: Mapping[str, Table], currency: str, warnings: list[str]
) -> Any:
    wanted = rule["look_up"]
    record = tables[wanted["table"]].find(key)
    if record is not None:
        found = record[wanted["gives"]]
        return _typed(found, rule, currency) if "type" in rule else found
    message = f"{key!r} is not among the {wanted['table']}"
    match wanted.get("missing", "refuse"):
        case "refuse":
            raise ValueError(message)
        case "warn":
            warnings.append(message)
    return None


def _typed(cell: Any, rule: Mapping[str, Any], currency: str) -> Any:
    match rule.get("type", "text"):
        case "text":
            return str(cell)
        case "slug":
            return slug(str(cell))
        case "integer":
            return int(cell)
        case "date":
            return datetime.strptime(cell, rule.get("date_format", "%Y-%m-%d")).date().isoformat()  # noqa: DTZ007
        case "money":
            return {
                "amount": format(_number(cell, rule).quantize(Decimal("0.01")), "f"),
                "currency": currency,
            }
        case "price":
            return {currency: format(_number(cell, rule), "f")}
        case unknown:
            raise ValueError(f"the mapping names an unknown type {unknown}")


def _number(cell: Any, rule: Mapping[str, Any]) -> Decimal:
    return Decimal(str(cell)) * Decimal(str(rule.get("scale", 1)))
