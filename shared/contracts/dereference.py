"""JSON Schemas without references: what compilers, generators and the comparison with the last release read.

The stored schemas use `$ref` (relative to the file) and, for facts that share a state, `allOf`. Both are
resolved here, so that what comes out is plain: one object schema with `properties` and `required`, nullable
members as a type list.
"""

from __future__ import annotations

from collections.abc import Callable
from posixpath import dirname, join, normpath
from typing import Any

__all__ = ["Schema", "dereferenced", "follow"]

Schema = dict[str, Any]

_NULL = {"type": "null"}


def dereferenced(path: str, load: Callable[[str], Schema]) -> Schema:
    """The schema at `path` with every `$ref` and `allOf` resolved.

    `load` gives the document at a path relative to the schema folder. Raises KeyError when a reference points
    nowhere and RecursionError when schemas refer to each other in a ring.
    """
    document = {key: value for key, value in load(path).items() if key not in ("$schema", "$defs")}
    return _resolve(document, path, load)


def _resolve(schema: Schema, path: str, load: Callable[[str], Schema]) -> Schema:
    if "$ref" in schema:
        target, target_path = follow(schema["$ref"], path, load)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_resolve(target, target_path, load), **_resolve(beside, path, load)}
    resolved = {
        key: _resolve_keyword(key, value, path, load) for key, value in schema.items() if key != "allOf"
    }
    for part in reversed(schema.get("allOf", ())):
        resolved = _merged(_resolve(part, path, load), resolved)
    return _nullable_as_type_list(resolved)


def _resolve_keyword(keyword: str, value: Any, path: str, load: Callable[[str], Schema]) -> Any:
    match keyword, value:
        case "properties", dict():
            return {name: _resolve(member, path, load) for name, member in value.items()}
        case (("items" | "additionalProperties"), dict()):
            return _resolve(value, path, load)
        case "anyOf", list():
            return [_resolve(member, path, load) for member in value]
        case _:
            return value


def follow(reference: str, path: str, load: Callable[[str], Schema]) -> tuple[Schema, str]:
    """The schema a `$ref` in the file at `path` points to, and the file it lies in. Raises KeyError."""
    file, _, pointer = reference.partition("#")
    target_path = normpath(join(dirname(path), file)) if file else path
    target = load(target_path)
    for step in pointer.strip("/").split("/"):
        target = target[step]
    return target, target_path


def _merged(base: Schema, own: Schema) -> Schema:
    """`own` on top of `base`: what both describe is taken from `own`, the narrower one."""
    merged = {**base, **own}
    if "properties" in base:
        merged["properties"] = {**base["properties"], **own.get("properties", {})}
    if "required" in base:
        merged["required"] = list(dict.fromkeys([*base["required"], *own.get("required", ())]))
    return merged


def _nullable_as_type_list(schema: Schema) -> Schema:
    """`{"anyOf": [X, {"type": "null"}]}` written as X with the type list `[type of X, "null"]`."""
    match schema.get("anyOf"):
        case [{"type": str(kind)} as member, null] if null == _NULL and "enum" not in member:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            return {**member, **rest, "type": [kind, "null"]}
        case _:
            return schema
