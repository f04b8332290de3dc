"""Approve, send, decline and expire quotes. Drafting and pricing need products: `processes/price_quote.py`;
accepting wins the deal: `processes/win_opportunity.py`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.quotes.approvals import levels_needed
from services.sales.quotes.model import Quote
from services.sales.quotes.repository import Quotes
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.kernel.errors import NotFound
from shared.messaging.timers import Timer

__all__ = [
    "EXPIRY",
    "approve_quote",
    "decline_quote",
    "expire_quote",
    "recall_quote",
    "reject_quote",
    "send_quote",
    "submit_quote",
    "view_quote",
]

EXPIRY = "quote_expiry"


def submit_quote(
    quote_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Quote:
    """Ask for the approvals that the rules want. Raises NotFound, Stale, IllegalState, NoLines."""
    with uow:
        quotes = Quotes(uow.session)
        quote = quotes.get(quote_id, expected_version=expected_version, where=where)
        levels = levels_needed(
            quotes.approval_rules(), quote.discount_bp, quote.margin_bp, quote.payment_days
        )
        quote.submit(levels, current_cause().actor_id, uow.clock.now())
        _watch(quote, uow)
        return quote


def approve_quote(
    quote_id: uuid.UUID,
    approver_id: uuid.UUID | None,
    note: str | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Quote:
    """Give the next approval. Raises NotFound, Stale, IllegalState, OwnApproval."""
    with uow:
        quote = Quotes(uow.session).get(quote_id, expected_version=expected_version, where=where)
        quote.approve(approver_id, current_cause().actor_id, note, uow.clock.now())
        _watch(quote, uow)
        return quote


def reject_quote(
    quote_id: uuid.UUID,
    note: str | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Quote:
    """Send a quote back to its author. Raises NotFound, Stale, IllegalState, OwnApproval."""
    with uow:
        quote = Quotes(uow.session).get(quote_id, expected_version=expected_version, where=where)
        quote.reject(current_cause().actor_id, note, uow.clock.now())
        return quote


def recall_quote(
    quote_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Quote:
    """Take a quote back to draft. Raises NotFound, Stale, IllegalState."""
    with uow:
        quote = Quotes(uow.session).get(quote_id, expected_version=expected_version, where=where)
        quote.recall()
        _watch(quote, uow)
        return quote


def send_quote(
    quote_id: uuid.UUID,
    recipients: Sequence[Mapping[str, Any]],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Quote:
    """Freeze the document and name who may accept it. Raises NotFound, Stale, IllegalState, QuoteExpired."""
    with uow:
        quote = Quotes(uow.session).get(quote_id, expected_version=expected_version, where=where)
        now = uow.clock.now()
        quote.send(recipients, company(uow.session).today(now), now)
        _watch(quote, uow)
        return quote


def view_quote(quote_id: uuid.UUID, recipient: int, revision: int, uow: UnitOfWork) -> Quote:
    """A recipient opens the link. Raises NotFound when the link's revision is not the one that was sent."""
    with uow:
        quote = _linked(uow, quote_id, recipient, revision)
        if quote.state == "sent":
            quote.view(recipient, uow.clock.now())
        return quote


def decline_quote(
    quote_id: uuid.UUID, reason: str | None, uow: UnitOfWork, *, recipient: int, revision: int
) -> Quote:
    """A recipient declines. Raises NotFound, IllegalState."""
    with uow:
        quote = _linked(uow, quote_id, recipient, revision)
        quote.decline(reason, uow.clock.now())
        _watch(quote, uow)
        return quote


def expire_quote(timer: Timer, uow: UnitOfWork) -> None:
    """The last day of the offer is over."""
    now = uow.clock.now()
    Quotes(uow.session).get(timer.owner_id, lock=True).expire(company(uow.session).today(now), now)


def _linked(uow: UnitOfWork, quote_id: uuid.UUID, recipient: int, revision: int) -> Quote:
    quote = Quotes(uow.session).find(quote_id, lock=True)
    if quote is None or quote.revision != revision or recipient >= len(quote.recipients):
        raise NotFound("This link is not valid any more. Ask your contact for a new one.")
    return quote


def _watch(quote: Quote, uow: UnitOfWork) -> None:
    """One timer while its last day matters, none otherwise."""
    if quote.state in ("approved", "sent"):
        uow.timers.set("quote", quote.id, EXPIRY, _end_of(quote, uow))
    else:
        uow.timers.cancel("quote", quote.id, EXPIRY)


def _end_of(quote: Quote, uow: UnitOfWork) -> datetime:
    """Midnight after the last day, where the company is."""
    zone = company(uow.session).zone
    return datetime.combine(quote.valid_until + timedelta(days=1), time(), zone)
