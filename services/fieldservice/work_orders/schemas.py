"""What callers send and get of work orders, and what is read of the facts about sales orders."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import available_timezones

from marshmallow import ValidationError, validate, validates, validates_schema

from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AcknowledgedOrder",
    "CreateWorkOrder",
    "EditWorkOrder",
    "EndedOrder",
    "HoldWorkOrder",
    "ReasonedCommand",
    "ReleaseWorkOrder",
    "ShippedOrder",
    "SubmittedOrder",
    "WorkOrderDetail",
    "WorkOrderFilters",
    "WorkOrderOut",
    "WorkOrderRow",
]

KINDS = ("install", "repair", "maintenance", "inspection", "collection", "survey")
PRIORITIES = ("emergency", "high", "normal", "low")
HOLDS = ("order", "goods", "parts", "customer", "access", "contract")
STATES = ("unscheduled", "scheduled", "in_progress", "completed", "cancelled")
COUNTRY = validate.Regexp(r"^[A-Z]{2}\Z", error="Two capital letters, ISO 3166-1, are expected.")
MAX_VISITS = 20


# -- what is read of facts ------------------------------------------------------------------------------------------


class _OrderFact(OpenSchema):
    order_id = fields.Id(required=True)
    request_no = fields.Integer(required=True)
    origin = fields.String(required=True)


class _OrderedLine(OpenSchema):
    line_id = fields.Id(required=True)
    product_id = fields.Id(required=True)
    sku = fields.String(required=True)
    description = fields.String(required=True)
    quantity = fields.String(required=True)
    needs_installation = fields.Boolean(required=True)


class SubmittedOrder(_OrderFact):
    number = fields.String(required=True)
    account_id = fields.Id(required=True)
    contact_id = fields.Id(required=True, allow_none=True)
    owner_id = fields.Id(required=True)
    opportunity_id = fields.Id(required=True, allow_none=True)
    ship_to = fields.Dict(required=True)
    effective_at = fields.Timestamp(required=True)
    lines = fields.List(fields.Nested(_OrderedLine), required=True)


class _ConfirmedLine(OpenSchema):
    line_id = fields.String(required=True)
    confirmed = fields.String(required=True)


class AcknowledgedOrder(_OrderFact):
    lines = fields.List(fields.Nested(_ConfirmedLine), required=True)


class _ShippedLine(OpenSchema):
    line_id = fields.String(required=True)
    cumulative = fields.String(required=True)
    serials = fields.List(fields.String(), required=True)


class ShippedOrder(_OrderFact):
    shipment_lines = fields.List(fields.Nested(_ShippedLine), required=True)
    shipped_at = fields.Timestamp(required=True)


class EndedOrder(_OrderFact):
    code = fields.String(required=True)
    text = fields.String(required=True)


# -- what callers send ----------------------------------------------------------------------------------------------


class _Address(Schema):
    lines = fields.List(fields.Text(200), required=True, validate=validate.Length(1, 6))
    locality = fields.Text(120, load_default=None, allow_none=True)
    region = fields.Text(120, load_default=None, allow_none=True)
    postal_code = fields.Text(20, load_default=None, allow_none=True)
    country = fields.String(required=True, validate=COUNTRY)


class _DegreesText(fields.Decimal):
    """Degrees between -`limit` and `limit`, kept as text: they live in JSON."""

    def __init__(self, limit: int, **kwargs: Any) -> None:
        super().__init__(places=6, min=-limit, max=limit, **kwargs)

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        number = super().deserialize(value, *args, **kwargs)
        return None if number is None else format(number, "f")

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return value


class Site(Schema):
    address = fields.Nested(_Address, load_default=None, allow_none=True)
    latitude = _DegreesText(90, load_default=None, allow_none=True, metadata={"description": "WGS 84"})
    longitude = _DegreesText(180, load_default=None, allow_none=True, metadata={"description": "WGS 84"})
    access_notes = fields.Text(2000, load_default=None, allow_none=True)
    time_zone = fields.Text(
        64,
        load_default=None,
        allow_none=True,
        metadata={"description": "IANA name; by default the company's"},
    )

    @validates("time_zone")
    def _iana_name(self, value: str | None, **_: Any) -> None:
        if value is not None and value not in available_timezones():
            raise ValidationError("Not a name of the IANA time zone database.")

    @validates_schema(skip_on_field_errors=True)
    def _is_a_place(self, data: dict[str, Any], **_: Any) -> None:
        if (data["latitude"] is None) != (data["longitude"] is None):
            raise ValidationError("Latitude and longitude belong together.", "longitude")
        if data["latitude"] is None and data["address"] is None:
            raise ValidationError("An address or coordinates are needed.", "address")


class _NeededSkill(Schema):
    skill = fields.Text(80, required=True)
    min_level = fields.Integer(min=1, max=5, load_default=1)


class _Role(Schema):
    role = fields.Enum("lead", "helper", required=True)
    skills = fields.List(fields.Nested(_NeededSkill), load_default=list, validate=validate.Length(max=50))


class _AskedVisit(Schema):
    duration_min = fields.Integer(min=5, max=720, required=True)
    roles = fields.List(
        fields.Nested(_Role),
        load_default=lambda: [{"role": "lead", "skills": []}],
        validate=validate.Length(1, 20),
    )

    @validates("roles")
    def _one_lead(self, value: list[dict[str, Any]], **_: Any) -> None:
        if sum(role["role"] == "lead" for role in value) != 1:
            raise ValidationError("A visit has exactly one lead.")


class EditWorkOrder(Schema):
    """The fields to change; those left out stay as they are."""

    priority = fields.Enum(*PRIORITIES)
    subject = fields.Text(300)
    contact_id = fields.Id(allow_none=True)
    asset_id = fields.Id(allow_none=True)
    site = fields.Nested(Site)
    due_at = fields.Timestamp(allow_none=True)
    due_kind = fields.Enum("arrive", "finish")
    earliest_at = fields.Timestamp(allow_none=True)
    demand = fields.List(
        fields.Nested(_AskedVisit),
        validate=validate.Length(1, MAX_VISITS),
        metadata={"description": "The visits that the work takes, in their order"},
    )


class _Source(Schema):
    kind = fields.Enum("manual", "case", required=True)
    id = fields.Id(load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _names_what(self, data: dict[str, Any], **_: Any) -> None:
        if (data["kind"] == "manual") != (data["id"] is None):
            raise ValidationError("A case is named by its id, and nothing else is.", "id")


class CreateWorkOrder(EditWorkOrder):
    kind = fields.Enum(*KINDS, required=True)
    source = fields.Nested(_Source, load_default=lambda: {"kind": "manual", "id": None})
    account_id = fields.Id(required=True)
    subject = fields.Text(300, required=True)
    priority = fields.Enum(*PRIORITIES, load_default="normal")
    contact_id = fields.Id(load_default=None, allow_none=True)
    asset_id = fields.Id(load_default=None, allow_none=True)
    product_id = fields.Id(load_default=None, allow_none=True)
    site = fields.Nested(Site, required=True)
    reported_at = fields.Timestamp(
        allow_none=True, metadata={"description": "When the customer asked; by default now"}
    )
    due_at = fields.Timestamp(load_default=None, allow_none=True)
    due_kind = fields.Enum("arrive", "finish", load_default="finish")


class HoldWorkOrder(Schema):
    kind = fields.Enum(*HOLDS, required=True)
    reason = fields.Text(500, required=True)


class ReleaseWorkOrder(Schema):
    kind = fields.Enum(*HOLDS, required=True)


class ReasonedCommand(Schema):
    reason = fields.Text(500, required=True)


class WorkOrderFilters(Schema):
    state = fields.Enum(*STATES)
    open = fields.Boolean(metadata={"description": "Neither completed nor cancelled"})
    kind = fields.Enum(*KINDS)
    priority = fields.Enum(*PRIORITIES)
    account_id = fields.Id()
    asset_id = fields.Id()
    order_id = fields.Id()
    number = fields.Text(40)
    due_at_gte = fields.Timestamp()
    due_at_lte = fields.Timestamp()
    on_hold = fields.Boolean()
    needs_follow_up = fields.Boolean()
    needs_attention = fields.Boolean()
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("created_at", "number", "due_at", "priority", default="-created_at")

    PORTAL = (
        "state",
        "open",
        "kind",
        "priority",
        "account_id",
        "asset_id",
        "order_id",
        "number",
        "due_at_gte",
        "due_at_lte",
        "ids",
        "sort",
    )


# -- what callers get -----------------------------------------------------------------------------------------------


class _Hold(Schema):
    kind = fields.String()
    reason = fields.String()
    since = fields.String()


class _Attention(Schema):
    code = fields.String()
    since = fields.String()
    detail = fields.String()


class _Line(Schema):
    line_id = fields.String()
    type = fields.String()
    product_id = fields.String()
    sku = fields.String()
    description = fields.String()
    quantity = fields.String()
    serials = fields.List(fields.String())
    state = fields.String()


class _SourceOut(Schema):
    kind = fields.String()
    id = fields.Id(allow_none=True)
    line_id = fields.Id(allow_none=True)


class _Assignee(Schema):
    technician_id = fields.Id()
    user_id = fields.Id()
    role = fields.String()


class _Visit(Schema):
    id = fields.Id()
    version = fields.Integer()
    visit_no = fields.Integer()
    state = fields.String()
    start_at = fields.Timestamp()
    end_at = fields.Timestamp()
    assignees = fields.List(fields.Nested(_Assignee))
    outcome = fields.String(allow_none=True)


class _Summary(Schema):
    id = fields.Id()
    version = fields.Integer()
    number = fields.String()
    kind = fields.String()
    state = fields.String()
    priority = fields.String()
    subject = fields.String()
    order_id = fields.Id(allow_none=True)
    account_id = fields.Id()
    contact_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    due_at = fields.Timestamp(allow_none=True)
    earliest_at = fields.Timestamp(allow_none=True)
    holds = fields.List(fields.Nested(_Hold))
    needs_follow_up = fields.Boolean()
    attention = fields.List(fields.Nested(_Attention))
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "number",
        "kind",
        "state",
        "priority",
        "subject",
        "order_id",
        "account_id",
        "contact_id",
        "due_at",
        "earliest_at",
        "created_at",
        "updated_at",
    )


class WorkOrderRow(_Summary):
    source_kind = fields.String()
    source_id = fields.Id(allow_none=True)
    source_line_id = fields.Id(allow_none=True)


class WorkOrderOut(_Summary):
    source = fields.Nested(_SourceOut)
    case_id = fields.Id(allow_none=True)
    asset_id = fields.Id(allow_none=True)
    product_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    crew_ids = fields.List(fields.Id())
    site = fields.Nested(Site)
    needs_geocode = fields.Boolean()
    reported_at = fields.Timestamp()
    due_kind = fields.String()
    demand = fields.List(fields.Nested(_AskedVisit))
    lines = fields.List(fields.Nested(_Line))
    first_time_fix = fields.Boolean(allow_none=True)
    started_at = fields.Timestamp(allow_none=True)
    completed_at = fields.Timestamp(allow_none=True)
    closed_out_at = fields.Timestamp(allow_none=True)
    reopened_at = fields.Timestamp(allow_none=True)
    end_reason = fields.String(allow_none=True)
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL: ClassVar[tuple[str, ...]] = (
        *_Summary.PORTAL,
        "case_id",
        "asset_id",
        "product_id",
        "site.address",
        "site.time_zone",
        "reported_at",
        "lines",
        "started_at",
        "completed_at",
    )


class WorkOrderDetail(WorkOrderOut):
    appointments = fields.List(fields.Nested(_Visit))

    PORTAL = (
        *WorkOrderOut.PORTAL,
        "appointments.id",
        "appointments.visit_no",
        "appointments.state",
        "appointments.start_at",
        "appointments.end_at",
    )
