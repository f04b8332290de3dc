"""What callers send and get of cases, and what is read of facts about contacts."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import validate

from services.support.cases.model import CASE_KINDS, CHANNELS, LEVELS
from shared.web import OpenSchema, Schema, fields

__all__ = [
    "AssignCase",
    "CancelCase",
    "CaseFilters",
    "CaseOut",
    "CaseRow",
    "ErasedContact",
    "OpenCase",
    "ReopenCase",
    "ResolveCase",
    "WaitFor",
]


class ErasedContact(OpenSchema):
    contact_id = fields.Id(required=True)


class OpenCase(Schema):
    subject = fields.Text(200, required=True)
    description = fields.Text(10_000, load_default=None, allow_none=True)
    kind = fields.Enum(*CASE_KINDS, load_default="question")
    channel = fields.Enum(*CHANNELS, load_default="internal")
    impact = fields.Enum(*LEVELS, load_default="medium")
    urgency = fields.Enum(*LEVELS, load_default="medium")
    account_id = fields.Id(load_default=None, allow_none=True)
    contact_id = fields.Id(load_default=None, allow_none=True)
    asset_id = fields.Id(load_default=None, allow_none=True)
    owner_id = fields.Id(load_default=None, allow_none=True)


class AssignCase(Schema):
    owner_id = fields.Id(required=True)


class WaitFor(Schema):
    waits_for = fields.Enum("customer", "third_party", "internal", "appointment", required=True)
    wake_at = fields.Timestamp(load_default=None, allow_none=True)


class ResolveCase(Schema):
    outcome = fields.Text(80, required=True)
    answer = fields.Text(10_000, required=True, metadata={"description": "What the customer is told"})


class CancelCase(Schema):
    outcome = fields.Text(80, required=True, metadata={"description": "For example spam or withdrawn"})


class ReopenCase(Schema):
    note = fields.Text(2000, load_default=None, allow_none=True)


class _Cover(Schema):
    basis = fields.String()
    parts = fields.Boolean()
    labour = fields.Boolean()
    travel = fields.Boolean()
    reason = fields.String()


class _Entry(Schema):
    state = fields.String()
    at = fields.String()
    by = fields.String()
    note = fields.String(allow_none=True)


class CaseRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    number = fields.String()
    kind = fields.String()
    subject = fields.String()
    channel = fields.String()
    state = fields.String()
    waits_for = fields.String(allow_none=True)
    priority = fields.String()
    account_id = fields.Id(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    asset_id = fields.Id(allow_none=True)
    owner_id = fields.Id(allow_none=True)
    opened_at = fields.Timestamp()
    resolved_at = fields.Timestamp(allow_none=True)
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()

    PORTAL: ClassVar[tuple[str, ...]] = (
        "id",
        "version",
        "number",
        "kind",
        "subject",
        "channel",
        "state",
        "priority",
        "account_id",
        "contact_id",
        "asset_id",
        "opened_at",
        "resolved_at",
        "created_at",
        "updated_at",
    )


class CaseOut(CaseRow):
    description = fields.String(allow_none=True)
    impact = fields.String()
    urgency = fields.String()
    product_id = fields.Id(allow_none=True)
    contract_id = fields.Id(allow_none=True)
    order_id = fields.Id(allow_none=True)
    opportunity_id = fields.Id(allow_none=True)
    cover = fields.Nested(_Cover, allow_none=True)
    wake_at = fields.Timestamp(allow_none=True)
    responded_at = fields.Timestamp(allow_none=True)
    outcome = fields.String(allow_none=True)
    answer = fields.String(allow_none=True)
    log = fields.List(fields.Nested(_Entry))
    root_correlation_id = fields.Id()
    allowed = fields.List(fields.String())

    PORTAL = (
        *CaseRow.PORTAL,
        "description",
        "product_id",
        "contract_id",
        "order_id",
        "cover",
        "responded_at",
        "answer",
    )


class CaseFilters(Schema):
    q = fields.Text(100)
    state = fields.Enum("new", "open", "waiting", "resolved", "closed")
    priority = fields.Enum("p1", "p2", "p3", "p4")
    kind = fields.Enum(*CASE_KINDS)
    account_id = fields.Id()
    asset_id = fields.Id()
    owner_id = fields.Id()
    number = fields.Text(40)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("opened_at", "priority", "number", default="-opened_at")

    PORTAL = ("q", "state", "priority", "kind", "account_id", "asset_id", "number", "ids", "sort")
