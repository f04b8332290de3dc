"""What callers send and get of key figures."""

from __future__ import annotations

from datetime import date

from marshmallow import validate
from marshmallow.fields import Tuple

from services.analytics.kpis.buckets import GRAINS
from services.analytics.kpis.definitions import DIMENSIONS
from shared.web import Schema, fields

__all__ = ["KpiList", "KpiValues", "OrderSummary", "PipelineSummary", "ValueFilters"]

_DAY = validate.Range(date(1900, 1, 1), date(2999, 12, 31))


class Dimension(Schema):
    name = fields.String()
    definition = fields.String()


class KpiRow(Schema):
    name = fields.String()
    label = fields.String()
    unit = fields.Enum("money", "count", "percent")
    definition = fields.String()
    formula = fields.String()
    additivity = fields.Enum(
        "full", "last", metadata={"description": "`last`: a bucket shows the state at its end."}
    )
    direction = fields.Enum("up", "down", metadata={"description": "Which way is better."})
    dimensions = fields.List(fields.Nested(Dimension))


class KpiList(Schema):
    items = fields.List(fields.Nested(KpiRow))


class ValueFilters(Schema):
    from_ = fields.Date(data_key="from", validate=_DAY)
    to = fields.Date(validate=_DAY, metadata={"description": "The first day that is not part of it."})
    grain = fields.Enum(*GRAINS, metadata={"description": "Without one there is a single point."})
    by = fields.Enum(*DIMENSIONS)


class Series(Schema):
    key = fields.String(allow_none=True)
    label = fields.String(allow_none=True)
    points = fields.List(
        Tuple((fields.String(), fields.String(allow_none=True))),
        metadata={"description": "Pairs of a bucket and its value; null where the figure has no meaning."},
    )


class Coverage(Schema):
    records = fields.Integer(metadata={"description": "How many records the figures come from."})
    unconverted = fields.Integer(metadata={"description": "How many amounts had no exchange rate."})


class KpiValues(KpiRow):
    currency = fields.String(allow_none=True)
    zone = fields.String()
    grain = fields.String(allow_none=True)
    by = fields.String(allow_none=True)
    scope = fields.String(metadata={"description": "Whose records are counted: own, team or all."})
    series = fields.List(fields.Nested(Series))
    coverage = fields.Nested(Coverage)


class StageRow(Schema):
    stage = fields.String()
    name = fields.String()
    count = fields.Integer()
    amount = fields.String()
    weighted = fields.String()


class PipelineSummary(Schema):
    currency = fields.String()
    scope = fields.String()
    stages = fields.List(fields.Nested(StageRow))
    open_count = fields.Integer()
    open_pipeline = fields.String()
    weighted_pipeline = fields.String()
    won_count = fields.Integer()
    won_amount = fields.String()
    lost_count = fields.Integer()
    win_rate = fields.String(allow_none=True, metadata={"description": "Percent of closed deals."})
    average_deal = fields.String(allow_none=True)
    coverage = fields.Nested(Coverage)


class OrderRow(Schema):
    state = fields.String()
    fulfilment = fields.String()
    billing = fields.String()
    count = fields.Integer()


class StepRow(Schema):
    step = fields.String()
    count = fields.Integer()


class ContractRow(Schema):
    state = fields.String()
    count = fields.Integer()


class WorkOrderRow(Schema):
    kind = fields.String()
    state = fields.String()
    count = fields.Integer()


class OrderSummary(Schema):
    scope = fields.String()
    orders = fields.List(fields.Nested(OrderRow))
    steps = fields.List(fields.Nested(StepRow))
    contracts = fields.List(fields.Nested(ContractRow))
    work_orders = fields.List(fields.Nested(WorkOrderRow))
