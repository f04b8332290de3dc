"""The order handoff: a won deal becomes an order in the ERP's hands, and the ERP's answers become true here.

Everything about a win is one transaction: the accepted quote, the won deal, the submitted order, its timers. After
that the order's own aggregate decides what an answer means; this process carries the consequences to the deal.

    5 min without a technical receipt -> attention `handoff_silent`
    24 h without a business answer    -> attention `no_answer`
    rejected or cancelled             -> the deal stays won and is flagged with the ERP's reason

Nothing is ever cancelled or sent again by a timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.sales.accounts.model import Account
from services.sales.accounts.repository import Accounts
from services.sales.opportunities.model import Opportunity
from services.sales.opportunities.repository import Opportunities
from services.sales.orders.errors import AddressNeeded
from services.sales.orders.model import RESPOND_WITHIN, Order
from services.sales.orders.repository import Orders
from services.sales.quotes.model import Quote
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = [
    "carry_cancellation_to_deal",
    "carry_rejection_to_deal",
    "carry_resubmission_to_deal",
    "flag_missing_answer",
    "flag_missing_receipt",
    "submit_order",
    "watch_order",
]

RECEIPT_WITHIN = timedelta(minutes=5)
NO_RECEIPT = "order_receipt_due"
NO_ANSWER = "order_answer_due"
REJECTED = "order_rejected"


def submit_order(deal: Opportunity, quote: Quote, uow: UnitOfWork) -> Order:
    """Make the order of a deal from its accepted quote and hand it to the ERP with the commit.

    Money is copied from the quote, never reckoned again. Raises AccountNotLive, AddressNeeded.
    """
    now = uow.clock.now()
    account = Accounts(uow.session).get(quote.account_id)
    account.require_live()
    orders = Orders(uow.session)
    values = {
        "number": orders.next_number(company(uow.session).today(now).year),
        "opportunity_id": deal.id,
        "quote_id": quote.id,
        "quote_revision": quote.revision,
        "lead_id": deal.lead_id,
        "campaign_id": deal.campaign_id,
        "owner_id": deal.owner_id,
        "account_id": account.id,
        "account": _as_customer(account),
        "contact_id": deal.primary_contact_id,
        "bill_to": _address(account, "billing"),
        "ship_to": _address(account, "shipping"),
        "currency": quote.currency,
        "lines": [_order_line(line) for line in quote.lines],
        "net_total": quote.net_total,
        "tax_total": quote.tax_total,
        "gross_total": quote.gross_total,
    }
    order = orders.add(Order.submit(values, deal.root_correlation_id, now))
    watch_order(order, uow)
    return order


def watch_order(order: Order, uow: UnitOfWork) -> None:
    """Two timers while the ERP owes something for the order's last request, none once it has decided."""
    asked_at = order.respond_by - RESPOND_WITHIN
    this = {"request_no": order.request_no}
    if order.technical == "none":
        uow.timers.set("order", order.id, NO_RECEIPT, asked_at + RECEIPT_WITHIN, this)
    else:
        uow.timers.cancel("order", order.id, NO_RECEIPT)
    if order.awaits_answer:
        uow.timers.set("order", order.id, NO_ANSWER, order.respond_by, this)
    else:
        uow.timers.cancel("order", order.id, NO_ANSWER)


def flag_missing_receipt(timer: Timer, uow: UnitOfWork) -> None:
    """Five minutes without a receipt: somebody should look whether the connector works."""
    order = Orders(uow.session).get(timer.owner_id, lock=True)
    if order.request_no == timer.payload["request_no"] and order.technical == "none":
        order.flag("handoff_silent", "The ERP has not confirmed receipt within 5 minutes.", uow.clock.now())


def flag_missing_answer(timer: Timer, uow: UnitOfWork) -> None:
    """A day without a decision: the order goes to the attention queue."""
    order = Orders(uow.session).get(timer.owner_id, lock=True)
    if order.request_no == timer.payload["request_no"] and order.awaits_answer:
        order.flag("no_answer", "The ERP has not decided within 24 hours.", uow.clock.now())


def carry_rejection_to_deal(order: Order, reason: str, uow: UnitOfWork) -> None:
    """The deal stays won; its owner is told why the ERP refused."""
    _flag_deal(order, REJECTED, reason, uow)


def carry_cancellation_to_deal(order: Order, reason: str, uow: UnitOfWork) -> None:
    """The deal stays won; its owner is told that the order is gone."""
    _flag_deal(order, "order_cancelled", reason, uow)


def carry_resubmission_to_deal(order: Order, uow: UnitOfWork) -> None:
    """The order is on its way again: the refusal is no longer the owner's concern."""
    if order.opportunity_id is not None:
        Opportunities(uow.session).get(order.opportunity_id, lock=True).unflag(REJECTED)


def _flag_deal(order: Order, code: str, reason: str, uow: UnitOfWork) -> None:
    if order.opportunity_id is not None:
        deal = Opportunities(uow.session).get(order.opportunity_id, lock=True)
        deal.flag(code, f"{order.number}: {reason}", uow.clock.now())


def _as_customer(account: Account) -> dict[str, Any]:
    return {
        "id": str(account.id),
        "name": account.name,
        "vat_id": account.tax_id,
        "erp_customer_id": account.erp_number,
    }


def _address(account: Account, kind: str) -> dict[str, Any]:
    address = account.address(kind)
    if address is None or not address["lines"]:
        raise AddressNeeded(f"{account.name} has no address. Add one: the ERP has to know where to deliver.")
    return {key: address.get(key) for key in ("lines", "locality", "region", "postal_code", "country")}


def _order_line(line: Mapping[str, Any]) -> dict[str, Any]:
    copied = ("line_id", "product_id", "sku", "kind", "quantity", "unit", "unit_net", "net", "tax_code")
    return {
        **{key: line[key] for key in copied},
        "description": line["name"],
        "needs_installation": line["needs_installation"],
        "warranty_months": line["warranty_months"],
        "confirmed": "0",
        "shipped": "0",
        "invoiced": "0",
    }
