"""What callers send and get of pipelines."""

from __future__ import annotations

from marshmallow import validate

from shared.web import Schema, fields

__all__ = ["DraftPipeline", "EditPipeline", "PipelineFilters", "PipelineOut", "PipelineRow"]

_KEY = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,39}\Z", error="Lower case letters, digits and underscores are expected."
)
_STAGES = validate.Length(1, 30)


class StageSchema(Schema):
    key = fields.String(required=True, validate=_KEY)
    name = fields.Text(80, required=True)
    probability_bp = fields.Integer(required=True, min=0, max=9999)
    forecast_category = fields.Enum(
        "omitted", "pipeline", "best_case", "most_likely", "commit", required=True
    )
    max_days = fields.Integer(min=1, max=3650, allow_none=True, load_default=None)
    moves_to = fields.List(fields.String(validate=_KEY), load_default=list)


class EditPipeline(Schema):
    win_requires = fields.Enum("accepted_quote", "lines", "nothing")
    on_accept = fields.Enum("win", "ask_owner")
    stages = fields.List(fields.Nested(StageSchema), validate=_STAGES)


class DraftPipeline(EditPipeline):
    name = fields.Text(80, required=True)
    win_requires = fields.Enum("accepted_quote", "lines", "nothing", load_default="nothing")
    on_accept = fields.Enum("win", "ask_owner", load_default="win")
    stages = fields.List(fields.Nested(StageSchema), required=True, validate=_STAGES)


class PipelineRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    pipeline_version = fields.Integer()
    state = fields.String()
    win_requires = fields.String()
    on_accept = fields.String()
    stages = fields.List(fields.Nested(StageSchema))
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class PipelineOut(PipelineRow):
    allowed = fields.List(fields.String())


class PipelineFilters(Schema):
    name = fields.Text(80)
    state = fields.Enum("draft", "active", "archived")
    sort = fields.Sort("created_at", "name", default="-created_at")
