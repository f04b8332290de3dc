"""What callers send and get of appointments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from marshmallow import ValidationError, validate, validates, validates_schema

from shared.web import Schema, fields

__all__ = [
    "AppointmentFilters",
    "AppointmentOut",
    "AppointmentRow",
    "MoveAppointment",
    "Report",
    "ReportReason",
    "ReportStop",
    "ScheduleAppointment",
]

STATES = (
    "scheduled",
    "en_route",
    "in_progress",
    "on_break",
    "completed",
    "partially_completed",
    "failed",
    "cancelled",
)
SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(hours=24)


class _Window(Schema):
    from_ = fields.Timestamp(required=True, data_key="from")
    to = fields.Timestamp(required=True)

    @validates_schema(skip_on_field_errors=True)
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["to"] <= data["from_"]:
            raise ValidationError("A window ends after it begins.", "to")


class _AssigneeIn(Schema):
    technician_id = fields.Id(required=True)
    role = fields.Enum("lead", "helper", load_default="lead")


class MoveAppointment(Schema):
    """The plan to change; what is left out stays as it is."""

    start_at = fields.Timestamp()
    end_at = fields.Timestamp()
    assignees = fields.List(fields.Nested(_AssigneeIn), validate=validate.Length(1, 20))
    promised_window = fields.Nested(_Window, allow_none=True)
    override_reason = fields.Text(
        500, metadata={"description": "Why it is planned although something stands against it"}
    )
    reason = fields.Text(500)

    @validates("assignees")
    def _one_lead(self, value: list[dict[str, Any]], **_: Any) -> None:
        if sum(assignee["role"] == "lead" for assignee in value) != 1:
            raise ValidationError("An appointment has exactly one lead.")
        if len({assignee["technician_id"] for assignee in value}) != len(value):
            raise ValidationError("Each technician once.")

    @validates_schema(skip_on_field_errors=True)
    def _both_times(self, data: dict[str, Any], **_: Any) -> None:
        if ("start_at" in data) != ("end_at" in data):
            raise ValidationError("Start and end belong together.", "end_at")
        if "start_at" in data and not SHORTEST <= data["end_at"] - data["start_at"] <= LONGEST:
            raise ValidationError("A visit takes 5 minutes to 24 hours.", "end_at")


class ScheduleAppointment(MoveAppointment):
    class Meta(MoveAppointment.Meta):
        exclude = ("reason",)

    work_order_id = fields.Id(required=True)
    visit_no = fields.Integer(
        min=1,
        max=20,
        metadata={"description": "Which of the visits asked for; by default the first to be done"},
    )
    start_at = fields.Timestamp(required=True)
    end_at = fields.Timestamp(required=True)
    assignees = fields.List(fields.Nested(_AssigneeIn), required=True, validate=validate.Length(1, 20))


class Report(Schema):
    """`at`: when it happened; by default now."""

    at = fields.Timestamp(allow_none=True)


class ReportReason(Report):
    reason = fields.Text(500, required=True)


class ReportStop(ReportReason):
    next_needs = fields.Text(1000, required=True, metadata={"description": "What the next visit needs"})


class AppointmentFilters(Schema):
    state = fields.Enum(*STATES)
    work_order_id = fields.Id()
    account_id = fields.Id()
    technician_id = fields.Id()
    start_at_gte = fields.Timestamp()
    start_at_lte = fields.Timestamp()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("start_at", "created_at", default="start_at")

    PORTAL = ("state", "work_order_id", "account_id", "start_at_gte", "start_at_lte", "ids", "sort")


class _Assignee(Schema):
    technician_id = fields.Id()
    user_id = fields.Id()
    role = fields.String()


class _WindowOut(Schema):
    from_ = fields.Timestamp(data_key="from", attribute="from")
    to = fields.Timestamp()


class _StatusChange(Schema):
    from_state = fields.String(allow_none=True)
    to_state = fields.String()
    effective_at = fields.Timestamp()
    received_at = fields.Timestamp()
    source = fields.String()
    actor = fields.String()


class AppointmentRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    work_order_id = fields.Id()
    work_order_number = fields.String()
    account_id = fields.Id()
    visit_no = fields.Integer()
    state = fields.String()
    start_at = fields.Timestamp()
    end_at = fields.Timestamp()
    time_zone = fields.String()
    assignees = fields.List(fields.Nested(_Assignee))
    outcome = fields.String(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "work_order_id",
        "work_order_number",
        "account_id",
        "visit_no",
        "state",
        "start_at",
        "end_at",
        "time_zone",
        "created_at",
        "updated_at",
    )


class AppointmentOut(AppointmentRow):
    promised_window = fields.Nested(_WindowOut, allow_none=True)
    told_window = fields.Nested(_WindowOut, allow_none=True)
    departed_at = fields.Timestamp(allow_none=True)
    arrived_at = fields.Timestamp(allow_none=True)
    finished_at = fields.Timestamp(allow_none=True)
    reason = fields.String(allow_none=True)
    next_needs = fields.String(allow_none=True)
    override_reason = fields.String(allow_none=True)
    history = fields.List(fields.Nested(_StatusChange))
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL = (*AppointmentRow.PORTAL, "promised_window", "told_window", "arrived_at", "finished_at")
