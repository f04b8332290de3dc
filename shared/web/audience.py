"""What customers see of an answer. A schema lists it in `PORTAL`, so that a new field is for the staff until
somebody decides otherwise; a route that the portal may use does not start without such a list."""

from __future__ import annotations

from collections.abc import Collection

import marshmallow

from shared.web.schema import Schema

__all__ = ["for_portal", "is_declared"]


def is_declared(schema: marshmallow.Schema) -> bool:
    """Whether the schema says what customers see, or may ask by."""
    return isinstance(schema, Schema) and schema.PORTAL is not None


def for_portal(schema: marshmallow.Schema, names: Collection[str] | None = None) -> marshmallow.Schema:
    """`schema` with the fields that customers see; only those of `names`, if given.

    Raises TypeError for a schema that does not say which.
    """
    if not isinstance(schema, Schema) or schema.PORTAL is None:
        raise TypeError(f"{type(schema).__name__} does not say what customers see of it")
    shown = [path for path in schema.PORTAL if names is None or path.partition(".")[0] in names]
    return type(schema)(only=shown, many=schema.many)
