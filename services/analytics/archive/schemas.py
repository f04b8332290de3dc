"""What callers send and get of the archive."""

from __future__ import annotations

from marshmallow.fields import Float

from shared.web import Schema, fields

__all__ = ["ArchivedEvent", "EventFilters", "Latencies", "LatencyFilters"]


class EventFilters(Schema):
    correlation_id = fields.Id()
    aggregate_id = fields.Text(200)
    type = fields.Text(200)
    state = fields.Enum("stored", "undecodable")


class ArchivedEvent(Schema):
    position = fields.Integer()
    event_id = fields.Id()
    source = fields.String()
    type = fields.String(allow_none=True)
    aggregate_type = fields.String(allow_none=True)
    aggregate_id = fields.String(allow_none=True)
    aggregate_version = fields.Integer(allow_none=True)
    occurred_at = fields.Timestamp(allow_none=True)
    effective_at = fields.Timestamp(allow_none=True)
    recorded_at = fields.Timestamp()
    correlation_id = fields.Id(allow_none=True)
    causation_id = fields.String(allow_none=True)
    actor_id = fields.String(allow_none=True)
    state = fields.Enum("stored", "undecodable")
    reason = fields.String(allow_none=True, metadata={"description": "Why bytes are no event."})
    erased_at = fields.Timestamp(
        allow_none=True, metadata={"description": "When what says who it is about was blanked in its data."}
    )
    data = fields.Dict(allow_none=True)
    raw = fields.String(allow_none=True, metadata={"description": "Bytes that are no event, as text."})


class LatencyFilters(Schema):
    correlation_id = fields.Id()
    type = fields.Text(200)
    from_ = fields.Timestamp(data_key="from")
    to = fields.Timestamp()


class Latency(Schema):
    type = fields.String(allow_none=True, metadata={"description": "Null: all types together."})
    n = fields.Integer()
    p50 = Float()
    p99 = Float()
    max = Float()


class Latencies(Schema):
    unit = fields.String()
    definition = fields.String()
    items = fields.List(fields.Nested(Latency))
