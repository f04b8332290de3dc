"""What callers send and get of customers."""

from __future__ import annotations

from shared.web import Schema, fields

__all__ = ["TimelineEntry", "TimelineFilters"]


class TimelineFilters(Schema):
    kind = fields.Text(100, metadata={"description": "Such as opportunity.won."})
    service = fields.Text(40)
    correlation_id = fields.Id()
    from_ = fields.Timestamp(data_key="from")
    to = fields.Timestamp()


class TimelineEntry(Schema):
    entry_id = fields.Id(metadata={"description": "Id of the fact."})
    customer_id = fields.Id()
    service = fields.String()
    kind = fields.String()
    summary = fields.String()
    subject_type = fields.String()
    subject_id = fields.String()
    effective_at = fields.Timestamp(metadata={"description": "When it happened for the business."})
    occurred_at = fields.Timestamp(metadata={"description": "When it was recorded at its source."})
    correlation_id = fields.Id()
    actor_id = fields.String()
    channel = fields.String(allow_none=True)
    amount = fields.MoneyColumns("amount")
