"""What callers send and get of activities."""

from __future__ import annotations

from marshmallow import validate

from services.sales.activities.model import ACTIVITY_TYPES
from shared.web import Schema, fields

__all__ = [
    "ActivityFilters",
    "ActivityOut",
    "ActivityRow",
    "CancelActivity",
    "CompleteActivity",
    "LogActivity",
    "PlanActivity",
    "ReplanActivity",
]

_STATUSES = ("planned", "in_progress", "completed", "missed", "cancelled")


class _Regarding(Schema):
    type = fields.Enum("account", "contact", "opportunity", "lead", "quote", "order", required=True)
    id = fields.Id(required=True)


class _Participant(Schema):
    type = fields.Enum("user", "contact", required=True)
    id = fields.Id(required=True)


class _Call(Schema):
    direction = fields.Enum("inbound", "outbound", required=True)
    call_ref = fields.Text(200, load_default=None, allow_none=True)
    disposition = fields.Text(200, load_default=None, allow_none=True)


class _NewActivity(Schema):
    type = fields.Enum(*ACTIVITY_TYPES, required=True)
    subject = fields.Text(300, required=True)
    owner_id = fields.Id()
    regarding = fields.List(fields.Nested(_Regarding), validate=validate.Length(max=20))
    participants = fields.List(fields.Nested(_Participant), validate=validate.Length(max=100))


class PlanActivity(_NewActivity):
    start_at = fields.Timestamp(allow_none=True)
    due_at = fields.Timestamp(allow_none=True)


class CompleteActivity(Schema):
    outcome = fields.Text(4000, allow_none=True)
    next_step = fields.Text(500, allow_none=True)
    duration_seconds = fields.Integer(min=0, max=604_800, allow_none=True)
    call = fields.Nested(_Call, allow_none=True)


class LogActivity(CompleteActivity, _NewActivity):
    completed_at = fields.Timestamp(allow_none=True, metadata={"description": "By default now"})


class CancelActivity(Schema):
    reason = fields.Text(500, required=True)


class ReplanActivity(Schema):
    due_at = fields.Timestamp(required=True)
    start_at = fields.Timestamp(load_default=None, allow_none=True)


class ActivityRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    type = fields.String()
    subject = fields.String()
    status = fields.String()
    owner_id = fields.Id()
    regarding = fields.List(fields.Nested(_Regarding))
    account_id = fields.Id(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    lead_id = fields.Id(allow_none=True)
    start_at = fields.Timestamp(allow_none=True)
    due_at = fields.Timestamp(allow_none=True)
    completed_at = fields.Timestamp(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class ActivityOut(ActivityRow):
    participants = fields.List(fields.Nested(_Participant))
    step_key = fields.String(allow_none=True)
    required = fields.Boolean()
    outcome = fields.String(allow_none=True)
    next_step = fields.String(allow_none=True)
    duration_seconds = fields.Integer(allow_none=True)
    call = fields.Nested(_Call, allow_none=True)
    cancel_reason = fields.String(allow_none=True)
    allowed = fields.List(fields.String())


class ActivityFilters(Schema):
    type = fields.Enum(*ACTIVITY_TYPES)
    status = fields.Enum(*_STATUSES)
    owner_id = fields.Id()
    account_id = fields.Id()
    contact_id = fields.Id()
    opportunity_id = fields.Id()
    lead_id = fields.Id()
    due_at_gte = fields.Timestamp()
    due_at_lte = fields.Timestamp()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", default="-created_at")
