"""Winning: the accepted quote, the won deal and the submitted order become true in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.opportunities.errors import WinNotMet
from services.sales.opportunities.model import Opportunity
from services.sales.opportunities.repository import Opportunities
from services.sales.opportunities.use_cases import moment_now
from services.sales.orders.errors import OrderStands
from services.sales.orders.repository import Orders
from services.sales.pipelines.repository import Pipelines
from services.sales.processes.order_handoff import submit_order
from services.sales.quotes.model import Quote
from services.sales.quotes.repository import Quotes
from services.sales.quotes.use_cases import EXPIRY
from shared.company import company, in_base_currency
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import NotFound
from shared.kernel.money import Money

__all__ = ["accept_quote", "require_no_order", "win_opportunity"]

ORDERABLE = ("approved", "sent", "accepted")
"""States of a quote that make an order of a win: the customer has said yes, or the price is within our limits."""


def win_opportunity(
    opportunity_id: uuid.UUID,
    close_date: date | None,
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool],
) -> Opportunity:
    """Win a deal, by default today. Its primary quote becomes an order, accepted by the customer or at least approved
    here; without one, or with one that nobody has approved, there is nothing to order.

    Raises NotFound, Stale, IllegalState, AccountNeeded, WinNotMet, AddressNeeded.
    """
    with uow:
        deal = Opportunities(uow.session).get(opportunity_id, expected_version=expected_version, where=where)
        day = close_date or company(uow.session).today(uow.clock.now())
        # Held, so that the customer cannot decline what is being ordered.
        quote = Quotes(uow.session).primary_of(deal.id, lock=True)
        _check_policy(deal, quote, uow)
        _close(deal, quote if quote is not None and quote.state in ORDERABLE else None, day, uow)
        return deal


def accept_quote(
    quote_id: uuid.UUID,
    signer: Mapping[str, Any],
    document_sha256: str,
    uow: UnitOfWork,
    *,
    recipient: int,
    revision: int,
) -> Quote:
    """A recipient accepts: quote, deal and order together, where the pipeline says that acceptance wins; else the
    deal's owner is asked. A repeat by the same signer changes nothing.

    Raises NotFound, AlreadyAccepted, QuoteExpired, DocumentChanged, IllegalState, AddressNeeded.
    """
    with uow:
        quote = Quotes(uow.session).find(quote_id, lock=True)
        if quote is None or quote.revision != revision or recipient >= len(quote.recipients):
            raise NotFound("This link is not valid any more. Ask your contact for a new one.")
        now = uow.clock.now()
        contact_id = quote.recipients[recipient]["contact_id"]
        today = company(uow.session).today(now)
        if not quote.accept({**signer, "contact_id": contact_id}, document_sha256, today, now):
            return quote
        uow.timers.cancel("quote", quote.id, EXPIRY)
        if quote.opportunity_id is not None:
            deal = Opportunities(uow.session).get(quote.opportunity_id, lock=True)
            plan = Pipelines(uow.session).plan(deal.pipeline_id)
            if deal.status == "open" and plan.on_accept == "win":
                _close(deal, quote, today, uow)
            elif deal.status == "open":
                deal.flag("customer_accepted", f"The customer accepted {quote.number}.", now)
        return quote


def require_no_order(deal_id: uuid.UUID, uow: UnitOfWork) -> None:
    """Raise OrderStands while the deal's order is neither rejected nor cancelled."""
    order = Orders(uow.session).last_of(deal_id)
    if order is not None and order.state not in ("rejected", "cancelled"):
        raise OrderStands(
            f"Cancel the order {order.number} before you reopen its deal.", order_id=str(order.id)
        )


def _check_policy(deal: Opportunity, quote: Quote | None, uow: UnitOfWork) -> None:
    requires = Pipelines(uow.session).plan(deal.pipeline_id).win_requires
    if requires == "accepted_quote" and (quote is None or quote.state != "accepted"):
        raise WinNotMet(
            "This pipeline wins a deal by an accepted quote. Send one and let the customer accept it."
        )
    if requires == "lines" and not deal.lines:
        raise WinNotMet("This pipeline wins a deal by its lines. Add a quote with products first.")


def _close(deal: Opportunity, quote: Quote | None, day: date, uow: UnitOfWork) -> None:
    amount = quote.net_total if quote is not None else deal.amount
    if amount is None:
        amount = Money.zero(company(uow.session).base_currency)
    order = submit_order(deal, quote, uow) if quote is not None else None
    deal.win(
        day,
        moment_now(uow),
        amount=amount,
        base_amount=in_base_currency(uow.session, amount, day),
        quote_id=quote.id if quote is not None else None,
        order_id=order.id if order is not None else None,
        term_months=quote.term_months if quote is not None else None,
    )
