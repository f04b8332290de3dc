"""What in a fact says who a person is: the members that its schema marks with `x-pii`; and which facts end that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.dereference import Schema

__all__ = ["blanked", "is_erasure", "is_personal"]


def is_personal(schema: Mapping[str, Any]) -> bool:
    """Whether a dereferenced schema marks any member with `x-pii`."""
    if schema.get("x-pii") is True:
        return True
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    parts += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return any(is_personal(part) for part in parts)


def is_erasure(event_type: str) -> bool:
    """Whether a fact says that everything personal in the facts before it, with the same key, is to go."""
    return event_type.split(".")[-2:-1] == ["erased"]


def blanked(data: Any, schema: Schema) -> Any:
    """`data` without what its dereferenced schema marks: null, or an empty list where there was one."""
    if schema.get("x-pii") is True:
        return [] if isinstance(data, list) else None
    for each in schema.get("anyOf", ()):
        data = blanked(data, each)
    if isinstance(data, list):
        return [blanked(item, schema.get("items", {})) for item in data]
    if isinstance(data, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties")
        unnamed = others if isinstance(others, dict) else {}
        return {name: blanked(value, named.get(name, unnamed)) for name, value in data.items()}
    return data
