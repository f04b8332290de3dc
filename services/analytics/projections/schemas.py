"""What callers send and get of projections."""

from __future__ import annotations

from marshmallow.fields import Float

from shared.web import Schema, fields

__all__ = ["BlockedKeys", "ProjectionDetail", "ProjectionList", "RunOut", "SkipFact", "Unblocked"]


class TableDigest(Schema):
    rows = fields.Integer()
    hash = fields.String()


_DIGEST = fields.Dict(keys=fields.String(), values=fields.Nested(TableDigest), allow_none=True)


class RunOut(Schema):
    id = fields.Id()
    name = fields.String()
    projection_version = fields.Integer()
    state = fields.Enum("building", "live", "failed", "retired")
    watermark = fields.Integer()
    reason = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    finished_at = fields.Timestamp(allow_none=True)
    digest = _DIGEST


class ProjectionRow(RunOut):
    head = fields.Integer(metadata={"description": "Position of the newest archived row."})
    lag_positions = fields.Integer()
    lag_seconds = Float(allow_none=True, metadata={"description": "Of live runs."})
    blocked = fields.Integer(metadata={"description": "How many keys wait for a person."})


class ProjectionList(Schema):
    items = fields.List(fields.Nested(ProjectionRow))


class ProjectionDetail(Schema):
    runs = fields.List(fields.Nested(ProjectionRow))
    tables = _DIGEST


class BlockedKeyOut(Schema):
    key = fields.String()
    event_id = fields.Id()
    position = fields.Integer()
    error = fields.String()
    blocked_at = fields.Timestamp()


class SkippedFactOut(Schema):
    key = fields.String()
    event_id = fields.Id()
    reason = fields.String()
    actor_id = fields.String()
    skipped_at = fields.Timestamp()


class BlockedKeys(Schema):
    items = fields.List(fields.Nested(BlockedKeyOut))
    skipped = fields.List(fields.Nested(SkippedFactOut))


class SkipFact(Schema):
    reason = fields.Text(500, required=True)


class Unblocked(Schema):
    applied = fields.Integer(metadata={"description": "How many facts of the key were applied."})
    items = fields.List(fields.Nested(BlockedKeyOut), metadata={"description": "What is still blocked."})
