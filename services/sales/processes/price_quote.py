"""Draft, price and revise quotes: a quote stands on an open deal, its account and the products' prices."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement

from services.sales.accounts.repository import Accounts
from services.sales.opportunities.errors import AccountNeeded
from services.sales.opportunities.queries import visible_opportunities
from services.sales.opportunities.repository import Opportunities
from services.sales.opportunities.use_cases import edit_opportunity
from services.sales.pricing import UnpricedLine, price_document
from services.sales.products.model import Product
from services.sales.products.repository import Products, TaxRates
from services.sales.quotes.errors import QuantityTooFine, UnknownTaxCode
from services.sales.quotes.model import Quote
from services.sales.quotes.repository import Quotes
from shared.access import Principal
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import IllegalState
from shared.kernel.ids import new_id

if TYPE_CHECKING:
    from services.sales.accounts.model import Account
    from services.sales.opportunities.model import Opportunity

__all__ = ["draft_quote", "edit_quote", "revise_quote"]

TERMS = ("valid_until", "payment_days", "term_months", "header_discount_bp")
COPIED = (
    "opportunity_id account_id owner_id lead_id campaign_id is_primary currency payment_days term_months"
    " header_discount_bp root_correlation_id"
).split()
"""What a revision takes over as it is."""
TOLD = (
    "line_id product_id sku name kind quantity unit unit_net net needs_installation warranty_months".split()
)
"""What a deal keeps of its quote's lines."""


def draft_quote(values: Mapping[str, Any], principal: Principal, uow: UnitOfWork) -> Quote:
    """Draft a quote for an open deal that `principal` may change; the deal's first quote is its primary one.

    `values["lines"]`: {product_id, quantity, discount_bp}. Raises NotFound, IllegalState, AccountNeeded,
    AccountNotLive, NoPrice, ProductNotActive, QuantityTooFine.
    """
    with uow:
        seen = visible_opportunities(principal, "opportunity.edit")
        deal, account = _open_deal(uow, values["opportunity_id"], seen)
        quotes = Quotes(uow.session)
        terms = {
            "opportunity_id": deal.id,
            "account_id": account.id,
            "owner_id": deal.owner_id,
            "lead_id": deal.lead_id,
            "campaign_id": deal.campaign_id,
            "is_primary": quotes.primary_of(deal.id) is None,
            "currency": values.get("currency") or account.currency,
            **{key: values[key] for key in TERMS},
        }
        number = quotes.next_number(company(uow.session).today(uow.clock.now()).year)
        quote = Quote.draft(number, 1, {**terms, "root_correlation_id": deal.root_correlation_id})
        _price(quote, values["lines"], uow)
        quotes.add(quote)
        _carry_to_deal(quote, uow)
        return quote


def edit_quote(
    quote_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Quote:
    """Change a draft and price it again. Raises NotFound, Stale, IllegalState and what pricing raises."""
    with uow:
        quote = Quotes(uow.session).get(quote_id, expected_version=expected_version, where=where)
        given = dict(changes)
        lines = given.pop("lines", None)
        quote.edit(given)
        _price(quote, _as_asked(quote) if lines is None else lines, uow)
        _carry_to_deal(quote, uow)
        return quote


def revise_quote(
    quote_id: uuid.UUID,
    valid_until: date | None,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Quote:
    """Replace a quote by its next revision, a draft at today's prices.

    Raises NotFound, Stale, IllegalState (also when the deal is closed) and what pricing raises.
    """
    with uow:
        quotes = Quotes(uow.session)
        earlier = quotes.get(quote_id, expected_version=expected_version, where=where)
        terms = {key: getattr(earlier, key) for key in COPIED}
        earlier.supersede()
        if earlier.opportunity_id is not None:
            _open_deal(uow, earlier.opportunity_id)
        # A unique index allows one primary quote a deal: the old one has to make room first.
        uow.flush()
        terms["valid_until"] = valid_until or earlier.valid_until
        quote = Quote.draft(earlier.number, earlier.revision + 1, terms)
        _price(quote, _as_asked(earlier), uow)
        quotes.add(quote)
        _carry_to_deal(quote, uow)
        return quote


def _open_deal(
    uow: UnitOfWork, deal_id: uuid.UUID, where: ColumnElement[bool] | None = None
) -> tuple[Opportunity, Account]:
    """The deal that a quote is for, and who would buy."""
    deal = Opportunities(uow.session).get(deal_id, where=where)
    if deal.status != "open":
        raise IllegalState(
            f"A deal that is {deal.status} takes no new quotes.", state=deal.status, allowed=deal.allowed
        )
    if deal.account_id is None:
        raise AccountNeeded("Say which account buys before you quote.")
    account = Accounts(uow.session).get(deal.account_id)
    account.require_live()
    return deal, account


def _as_asked(quote: Quote) -> list[dict[str, Any]]:
    """The lines as they were asked for, to be priced again; they stay the same lines."""
    return [
        {
            "line_id": line["line_id"],
            "product_id": uuid.UUID(line["product_id"]),
            "quantity": Decimal(line["quantity"]),
            "discount_bp": line["discount_bp"],
        }
        for line in quote.lines
    ]


def _price(quote: Quote, lines: Sequence[Mapping[str, Any]], uow: UnitOfWork) -> None:
    products = Products(uow.session).by_ids(line["product_id"] for line in lines)
    rates = TaxRates(uow.session).by_code()
    described, unpriced = [], []
    for position, line in enumerate(lines):
        product = products[line["product_id"]]
        _check_quantity(line["quantity"], product, position)
        if product.tax_code not in rates:
            raise UnknownTaxCode.field(
                f"/lines/{position}/product_id", f"Set a rate for the tax code {product.tax_code} first."
            )
        price = product.list_price(quote.currency)
        cost = product.standard_cost
        unpriced.append(
            UnpricedLine(
                price,
                line["quantity"],
                line["discount_bp"],
                product.tax_code,
                cost.amount if cost and cost.currency == quote.currency else None,
            )
        )
        described.append(
            {
                "line_id": line.get("line_id") or new_id(),
                "product_id": product.id,
                "sku": product.sku,
                "name": product.name,
                "kind": product.kind,
                "quantity": line["quantity"],
                "unit": product.unit,
                "list_unit": price,
                "discount_bp": line["discount_bp"],
                "tax_code": product.tax_code,
                "needs_installation": product.needs_installation,
                "warranty_months": product.warranty_months,
            }
        )
    quote.price(described, price_document(unpriced, quote.currency, rates, quote.header_discount_bp))


def _check_quantity(quantity: Decimal, product: Product, position: int) -> None:
    if quantity <= 0 or round(quantity, product.quantity_decimals) != quantity:
        raise QuantityTooFine.field(
            f"/lines/{position}/quantity",
            f"{product.sku} is sold in quantities above 0 with at most {product.quantity_decimals} decimals.",
        )


def _carry_to_deal(quote: Quote, uow: UnitOfWork) -> None:
    """The primary quote's net is the deal's amount, and its lines are the deal's lines."""
    if quote.is_primary and quote.opportunity_id is not None:
        lines = [{key: line[key] for key in TOLD} for line in quote.lines]
        changes = {"amount": quote.net_total, "amount_source": "quote", "lines": lines}
        edit_opportunity(quote.opportunity_id, changes, uow, expected_version=None)
