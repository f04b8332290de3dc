"""The port to the demo ERP. What it answers is checked like any stranger's word."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow
import orjson
from marshmallow import post_load

from services.erp.canonical_order import ErpOrder
from services.erp.erp_document import (
    CANCELLED,
    CONFIRMED,
    QUOTATION,
    ErpDocument,
    ErpLine,
    Invoice,
    LineAnswer,
    Payment,
    Shipment,
    ShippedLine,
)
from services.erp.port import Answer, Changes, NotReached, Ok, Refused, Unknown
from shared.kernel.events import to_data
from shared.web import OpenSchema, fields

__all__ = ["DemoPort", "Server"]

Server = Callable[[str, str, bytes], tuple[int, bytes]]
"""method, path and body of a request -> status and body of the answer. Raises ConnectionRefusedError when nobody
listens and TimeoutError when no answer comes in time."""


class _Line(OpenSchema):
    line_id = fields.String(required=True)
    accepted = fields.Decimal(required=True)
    backordered = fields.Decimal(required=True)
    backordered_until = fields.Date(required=True, allow_none=True)
    rejected = fields.Decimal(required=True)
    rejected_code = fields.String(required=True, allow_none=True)


class _DocumentLine(OpenSchema):
    line_id = fields.String(required=True)
    is_rounding = fields.Boolean(required=True)
    sku = fields.String(required=True)
    unit = fields.String(required=True)
    quantity = fields.Decimal(required=True)
    unit_price = fields.Decimal(required=True)
    tax_code = fields.String(required=True)
    answer = fields.Nested(_Line(exclude=["line_id"]), load_default=None, allow_none=True)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> ErpLine:
        answer = values.pop("answer")
        return ErpLine(**values, answer=None if answer is None else LineAnswer(values["line_id"], **answer))


class _Moved(OpenSchema):
    line_id = fields.String(required=True)
    quantity = fields.Decimal(required=True)
    serials = fields.List(fields.String(), load_default=list)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> ShippedLine:
        return ShippedLine(values["line_id"], values["quantity"], tuple(values["serials"]))


class _Shipment(OpenSchema):
    id = fields.String(required=True)
    shipped_at = fields.Timestamp(required=True)
    carrier = fields.String(required=True, allow_none=True)
    tracking = fields.String(required=True, allow_none=True)
    lines = fields.List(fields.Nested(_Moved), required=True)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> Shipment:
        return Shipment(**{**values, "lines": tuple(values["lines"])})


class _Invoice(OpenSchema):
    id = fields.String(required=True)
    number = fields.String(required=True)
    invoiced_at = fields.Timestamp(required=True)
    amount = fields.Decimal(required=True)
    lines = fields.List(fields.Nested(_Moved), required=True)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> Invoice:
        return Invoice(**{**values, "lines": tuple(values["lines"])})


class _Payment(OpenSchema):
    id = fields.String(required=True)
    paid_at = fields.Timestamp(required=True)
    amount = fields.Decimal(required=True)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> Payment:
        return Payment(**values)


class _Document(OpenSchema):
    id = fields.String(required=True)
    number = fields.String(required=True)
    reference = fields.String(required=True)
    revision = fields.Integer(required=True)
    state = fields.Enum(QUOTATION, CONFIRMED, CANCELLED, required=True)
    currency = fields.String(required=True)
    customer_id = fields.String(required=True)
    customer_number = fields.String(required=True, allow_none=True)
    lines = fields.List(fields.Nested(_DocumentLine), required=True)
    net = fields.Decimal(required=True)
    tax = fields.Decimal(required=True)
    gross = fields.Decimal(required=True)
    due = fields.Decimal(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    shipments = fields.List(fields.Nested(_Shipment), required=True)
    invoices = fields.List(fields.Nested(_Invoice), required=True)
    payments = fields.List(fields.Nested(_Payment), required=True)
    changed_at = fields.Timestamp(required=True)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> ErpDocument:
        for name in ("lines", "shipments", "invoices", "payments"):
            values[name] = tuple(values[name])
        return ErpDocument(**values)


class _Found(OpenSchema):
    documents = fields.List(fields.Nested(_Document), required=True)


class _Changed(_Found):
    cursor = fields.String(required=True)


class _Refusal(OpenSchema):
    code = fields.String(required=True)
    text = fields.String(required=True)


class DemoPort:
    """Speaks to the demo ERP behind `server`."""

    price_digits = 4

    def __init__(self, server: Server) -> None:
        self._server = server

    def find_by_reference(self, order_id: str) -> Answer:
        answer = self._ask("GET", f"/documents?reference={order_id}", _Found())
        if not isinstance(answer, Ok):
            return answer
        documents = answer.value["documents"]
        if len(documents) > 1:
            numbers = ", ".join(document.number for document in documents)
            return Refused("duplicate_in_erp", f"Several documents bear the order's id: {numbers}")
        return Ok(documents[0] if documents else None)

    def create(self, order: ErpOrder) -> Answer:
        body = {field.name: getattr(order, field.name) for field in dataclasses.fields(order)}
        return self._ask("POST", "/documents", _Document(), to_data(body))

    def advance(self, erp_id: str, step: str) -> Answer:
        return self._ask("POST", f"/documents/{erp_id}/{step}", _Document())

    def changes_since(self, cursor: str | None) -> Answer:
        answer = self._ask("GET", f"/changes?after={cursor or 0}", _Changed())
        if not isinstance(answer, Ok):
            return answer
        return Ok(Changes(tuple(answer.value["documents"]), answer.value["cursor"]))

    def _ask(
        self, method: str, path: str, schema: marshmallow.Schema, body: Mapping[str, Any] | None = None
    ) -> Answer:
        try:
            status, said = self._server(method, path, b"" if body is None else orjson.dumps(body))
        except ConnectionRefusedError as error:
            return NotReached(str(error) or "The ERP cannot be reached")
        except TimeoutError:
            return Unknown("No answer in time")
        if status >= 500:
            return Unknown(f"The ERP answered {status}")
        try:
            if status >= 400:
                refusal = _Refusal().load(orjson.loads(said))
                return Refused(refusal["code"], refusal["text"])
            return Ok(schema.load(orjson.loads(said)))
        except (orjson.JSONDecodeError, marshmallow.ValidationError) as error:
            return Unknown(f"The ERP answered {status} with what makes no sense: {str(error)[:500]}")
