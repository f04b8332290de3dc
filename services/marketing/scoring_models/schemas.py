"""What callers send and get of scoring models."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as numbers

from services.marketing.scoring import FIELDS, OPERATORS
from shared.web import Schema, fields

__all__ = ["DraftScoringModel", "ScoringModelFilters", "ScoringModelOut", "ScoringModelRow"]

_KEY = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,39}\Z", error="Small letters, digits and underscores are expected."
)


class Points(numbers.Float):
    """A plain JSON number that a formula may use."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1000 <= value <= 1000:
            raise ValidationError("A number from -1000 to 1000 is expected.")
        return float(value)


class _Criterion(Schema):
    key = fields.String(required=True, validate=_KEY)
    field = fields.Enum(*FIELDS, required=True)
    operator = fields.Enum(*OPERATORS, required=True)
    value = fields.Raw(
        load_default=None, allow_none=True, metadata={"description": "A list or a whole number"}
    )
    points = fields.Integer(min=-100, max=100, load_default=0)
    excludes = fields.Boolean(load_default=False, metadata={"description": "A match gives grade F"})


class DraftScoringModel(Schema):
    name = fields.Text(120, required=True)
    half_life_seconds = fields.Integer(min=3600, max=31_536_000, load_default=2_592_000)
    weights = fields.Dict(
        keys=fields.String(validate=_KEY), values=Points(), required=True, validate=validate.Length(1, 50)
    )
    caps = fields.Dict(
        keys=fields.String(validate=_KEY), values=fields.Integer(min=1, max=1000), load_default=dict
    )
    criteria = fields.List(fields.Nested(_Criterion), required=True, validate=validate.Length(max=50))
    warm_from = Points(load_default=25.0)
    hot_from = Points(load_default=60.0)
    accept_within_minutes = fields.Integer(min=1, max=10_080, load_default=240)
    cool_off_days = fields.Integer(min=0, max=365, load_default=30)
    max_handovers = fields.Integer(min=1, max=20, load_default=3)


class ScoringModelRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    name = fields.String()
    model_version = fields.Integer()
    state = fields.String()
    activated_at = fields.Timestamp(allow_none=True)
    created_at = fields.Timestamp()


class ScoringModelOut(ScoringModelRow):
    half_life_seconds = fields.Integer()
    weights = fields.Dict(keys=fields.String(), values=numbers.Float())
    caps = fields.Dict(keys=fields.String(), values=fields.Integer())
    criteria = fields.List(fields.Nested(_Criterion))
    warm_from = numbers.Float()
    hot_from = numbers.Float()
    accept_within_minutes = fields.Integer()
    cool_off_days = fields.Integer()
    max_handovers = fields.Integer()
    allowed = fields.List(fields.String())


class ScoringModelFilters(Schema):
    state = fields.Enum("draft", "active", "retired")
    sort = fields.Sort("model_version", default="-model_version")
