"""What callers send and get of mappings."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, post_load, validate, validates_schema

from services.erp.mappings.model import KINDS
from shared.kernel.events import to_data
from shared.web import Schema, fields

__all__ = ["MappingOut", "PutMapping"]


class Entry(Schema):
    ours = fields.Text(80, required=True)
    theirs = fields.Text(80, required=True)
    valid_from = fields.Date(load_default=None, allow_none=True)
    valid_to = fields.Date(load_default=None, allow_none=True)

    @validates_schema
    def _ordered(self, values: dict[str, Any], **_: Any) -> None:
        if values["valid_from"] and values["valid_to"] and values["valid_from"] > values["valid_to"]:
            raise ValidationError("The first day comes after the last.", "valid_to")

    @post_load
    def _as_stored(self, values: dict[str, Any], **_: Any) -> Any:
        return to_data(values)


class PutMapping(Schema):
    entries = fields.List(fields.Nested(Entry), required=True, validate=validate.Length(max=5_000))
    keeps_unknown = fields.Boolean(
        load_default=False, metadata={"description": "A code without an entry stands for itself."}
    )


class StoredEntry(Schema):
    ours = fields.String()
    theirs = fields.String()
    valid_from = fields.String(allow_none=True)
    valid_to = fields.String(allow_none=True)


class MappingOut(Schema):
    id = fields.Id()
    version = fields.Integer()
    kind = fields.Enum(*KINDS)
    keeps_unknown = fields.Boolean()
    entries = fields.List(fields.Nested(StoredEntry))
    updated_at = fields.Timestamp()
