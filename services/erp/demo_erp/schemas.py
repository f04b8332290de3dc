"""What callers send and get of the demo ERP."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import ValidationError, post_load, validates_schema

from services.erp.demo_erp.model import ACTIONS
from shared.kernel.events import to_data
from shared.web import Schema, fields

__all__ = ["AddScript", "DocumentFilters", "DocumentRow", "ScriptOut"]

FIELDS = ("any", "reference", "number", "customer", "sku", "gross_at_least")
_SECONDS = {"slow": "2", "down": "3"}
_WORDS = {
    "reject": ("credit_limit", "The credit limit is exceeded"),
    "partial": ("discontinued", "A part of it is no longer made"),
}


class When(Schema):
    field = fields.Enum(*FIELDS, required=True)
    value = fields.Text(
        200,
        load_default=None,
        allow_none=True,
        metadata={"description": "Equal to it; for customer a part of the name; nothing for any"},
    )

    @validates_schema
    def _fits(self, values: dict[str, Any], **_: Any) -> None:
        if (values["value"] is None) != (values["field"] == "any"):
            raise ValidationError("Every field but any is compared with a value.", "value")
        if values["field"] == "gross_at_least":
            try:
                finite = Decimal(values["value"]).is_finite()
            except InvalidOperation:
                finite = False
            if not finite:
                raise ValidationError("An amount such as 1250.00 is expected.", "value")


class Parameters(Schema):
    seconds = fields.Decimal(places=2, min=0, max=30, metadata={"description": "slow, down"})
    code = fields.Text(60, metadata={"description": "reject, partial"})
    text = fields.Text(300, metadata={"description": "reject, partial"})
    sku = fields.Text(80, metadata={"description": "partial: the line concerned, by default the first"})
    backordered = fields.Decimal(places=3, min=0)
    backordered_until = fields.Date()
    rejected = fields.Decimal(places=3, min=0)


class AddScript(Schema):
    """An instruction for the demo ERP: how to treat the orders that fit `when`."""

    when = fields.Nested(When, required=True)
    action = fields.Enum(*ACTIONS, required=True)
    on = fields.Enum(
        "create",
        "confirm",
        "cancel",
        metadata={
            "description": "The request concerned; by default the first that the action makes sense for"
        },
    )
    parameters = fields.Nested(Parameters, load_default=dict)
    times = fields.Integer(
        min=1,
        max=1_000_000,
        allow_none=True,
        metadata={"description": "How often; faults once, decisions always unless said otherwise"},
    )

    @post_load
    def _as_stored(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        action = values["action"]
        decision = ACTIONS[action] == "confirm" or action == "round_per_line"
        return {
            "field": values["when"]["field"],
            "value": values["when"]["value"],
            "action": action,
            "on": values.get("on", ACTIONS[action]),
            "parameters": to_data(_complete(action, values["parameters"])),
            "remaining": values.get("times", None if decision else 1),
        }


def _complete(action: str, given: dict[str, Any]) -> dict[str, Any]:
    if action in _SECONDS:
        return {"seconds": Decimal(_SECONDS[action]), **given}
    if action in _WORDS:
        code, text = _WORDS[action]
        words = {"code": code, "text": text}
        if action == "reject":
            return {**words, **given}
        later = date.today() + timedelta(days=14)  # noqa: DTZ011 - any day to come will do
        return {**words, "backordered": "0", "rejected": "0", "backordered_until": later, **given}
    return given


class ScriptOut(Schema):
    id = fields.Integer()
    field = fields.Enum(*FIELDS)
    value = fields.String(allow_none=True)
    action = fields.Enum(*ACTIONS)
    on = fields.Enum("create", "confirm", "cancel")
    parameters = fields.Dict()
    remaining = fields.Integer(allow_none=True)
    down_until = fields.Timestamp(allow_none=True)


class DocumentFilters(Schema):
    reference = fields.Text(80, metadata={"description": "Our order's id"})
    state = fields.Enum("quotation", "confirmed", "cancelled")
    sort = fields.Sort("created_at", default="created_at")


class DocumentRow(Schema):
    id = fields.Integer()
    reference = fields.String()
    order_number = fields.String()
    customer_id = fields.Integer()
    customer = fields.String()
    state = fields.Enum("quotation", "confirmed", "cancelled")
    revision = fields.Integer()
    currency = fields.String()
    lines = fields.List(fields.Dict())
    net = fields.Decimal()
    tax = fields.Decimal()
    gross = fields.Decimal()
    due = fields.Decimal(allow_none=True)
    shipments = fields.List(fields.Dict())
    invoices = fields.List(fields.Dict())
    payments = fields.List(fields.Dict())
    created_at = fields.Timestamp()
    changed_at = fields.Timestamp()
