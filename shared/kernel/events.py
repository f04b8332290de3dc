"""Facts as the code knows them: frozen dataclasses with a wire type."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from shared.kernel.money import Money

__all__ = ["Event", "to_data"]


@dataclass(frozen=True)
class Event:
    """A fact an aggregate records. Subclasses are frozen dataclasses that set `TYPE`, for example
    `crm.sales.opportunity.won.v1`; their fields are the members of the message's data."""

    TYPE: ClassVar[str]

    def to_data(self) -> dict[str, Any]:
        """The JSON-able data of the message."""
        return {field.name: to_data(getattr(self, field.name)) for field in dataclasses.fields(self)}


def to_data(value: Any) -> Any:
    """`value` in wire form: money as an object, decimals as strings, times in RFC 3339 UTC, ids as strings.

    Raises TypeError for what has no exact form, a float among them, and ValueError for a time without a zone.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Money():
            return value.to_data()
        case uuid.UUID():
            return str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"{value} has no time zone")
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict():
            return {str(key): to_data(item) for key, item in value.items()}
        case list() | tuple():
            return [to_data(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: to_data(getattr(value, f.name)) for f in dataclasses.fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no wire form")
