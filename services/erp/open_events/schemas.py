"""What callers send and get at the pull door."""

from __future__ import annotations

from marshmallow import validate

from shared.web import Schema, fields

__all__ = ["EventFilters", "Events"]

LONGEST_WAIT = 25


class EventFilters(Schema):
    after = fields.Text(
        300, metadata={"description": "`next` of the answer before; nothing: from the beginning"}
    )
    types = fields.List(
        fields.Text(120),
        validate=validate.Length(1, 50),
        metadata={"description": "Only facts of these types"},
    )
    limit = fields.Integer(min=1, max=500, load_default=100)
    wait = fields.Integer(
        min=0,
        max=LONGEST_WAIT,
        load_default=0,
        metadata={"description": "Seconds to wait for the first fact where there is none yet"},
    )


class Event(Schema):
    """A CloudEvent in structured mode."""

    specversion = fields.String(required=True)
    id = fields.String(required=True)
    source = fields.String(required=True)
    type = fields.String(required=True)
    subject = fields.String(required=True)
    time = fields.String(required=True)
    dataschema = fields.String()
    datacontenttype = fields.String()
    partitionkey = fields.String()
    aggregateversion = fields.Integer(required=True)
    correlationid = fields.String()
    causationid = fields.String()
    actorid = fields.String()
    dataclass = fields.String()
    traceparent = fields.String()
    data = fields.Dict(required=True)


class Events(Schema):
    items = fields.List(fields.Nested(Event), required=True)
    next = fields.String(
        required=True, metadata={"description": "Where to go on; store it with what you did"}
    )
