"""Answers of a foreign ERP: what it tells over HTTP becomes the same facts that a port's answers become."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from services.erp.erp_document import Invoice, LineAnswer, Payment, Shipment, ShippedLine
from services.erp.links.model import Link
from services.erp.links.use_cases import give_answer
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Invalid
from shared.kernel.events import to_data
from shared.kernel.money import Money

__all__ = ["take_answer"]


def take_answer(values: Mapping[str, Any], uow: UnitOfWork) -> dict[str, Any]:
    """Apply one answer; an id that was given before has no effect.

    Raises NotFound, AnswerDiffers, IllegalState (an answer that came too early may come again), LinesDoNotAddUp.
    """
    body_hash = hashlib.sha256(orjson.dumps(to_data(dict(values)), option=orjson.OPT_SORT_KEYS)).hexdigest()
    link, duplicate = give_answer(
        values["id"], values["type"], values["order_id"], body_hash, lambda link: _apply(link, values), uow
    )
    return {
        "id": values["id"],
        "order_id": link.id,
        "state": link.state,
        "erp_sequence": link.event_no,
        "duplicate": duplicate,
    }


def _apply(link: Link, answer: Mapping[str, Any]) -> None:
    at: datetime = answer["occurred_at"]
    match answer["type"]:
        case "order.received":
            link.receive(answer["erp_number"], at)
        case "order.accepted" | "order.partially_accepted":
            lines = [LineAnswer(**{**line, "line_id": str(line["line_id"])}) for line in answer["lines"]]
            link.decide(lines, answer["erp_number"], answer["code"], answer["text"], at)
        case "order.rejected" if link.state == "cancelling":
            link.keep(answer["code"], answer["text"], at)
        case "order.rejected":
            link.refuse(answer["code"], answer["text"], at)
        case "order.shipped":
            link.ship(Shipment(answer["id"], at, answer["carrier"], answer["tracking"], _moved(answer)))
        case "order.invoiced":
            link.invoice(
                Invoice(
                    answer["id"],
                    answer["invoice_number"],
                    at,
                    _amount(link, answer),
                    _moved(answer),
                    answer["document_url"],
                )
            )
        case "order.paid":
            link.pay(Payment(answer["id"], at, _amount(link, answer)))
        case _:
            link.cancelled(answer["code"], answer["text"], at)


def _moved(answer: Mapping[str, Any]) -> tuple[ShippedLine, ...]:
    return tuple(
        ShippedLine(str(line["line_id"]), line["quantity"], tuple(line["serials"]))
        for line in answer["moved"]
    )


def _amount(link: Link, answer: Mapping[str, Any]) -> Decimal:
    """The amount, which has to be in the order's currency. Raises Invalid."""
    told: Money = answer["amount"]
    if told.currency != link.currency:
        raise Invalid.field("/amount/currency", f"The order is in {link.currency}.")
    return told.amount
