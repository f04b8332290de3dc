"""Schemas of bodies and queries, and their errors as JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import marshmallow

__all__ = ["OpenSchema", "Schema", "field_errors"]


class Schema(marshmallow.Schema):
    """Refuses unknown and read-only (`dump_only`) fields on the way in.

    `PORTAL`: the fields that customers get of an answer, and may filter a list by; `site.address` is a field of a
    nested schema, `site` all of it.
    """

    PORTAL: ClassVar[tuple[str, ...] | None] = None

    class Meta:
        unknown = marshmallow.RAISE


class OpenSchema(marshmallow.Schema):
    """For public doors and messages: what it does not know, it ignores."""

    class Meta:
        unknown = marshmallow.EXCLUDE


def field_errors(messages: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """marshmallow's nested messages as `{"pointer": "/lines/0/quantity", "detail": "..."}`, one per
    message."""
    if isinstance(messages, dict):
        for key, value in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from field_errors(value, pointer + step)
    elif isinstance(messages, list):
        for message in messages:
            yield from field_errors(message, pointer)
    else:
        yield {"pointer": pointer, "detail": str(messages)}
