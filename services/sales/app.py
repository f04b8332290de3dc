"""The HTTP side of sales."""

from __future__ import annotations

from flask import Flask

from services.sales.accounts.routes import blueprint as accounts
from services.sales.activities.routes import blueprint as activities
from services.sales.contacts.routes import blueprint as contacts
from services.sales.imports.routes import blueprint as imports
from services.sales.leads.routes import blueprint as leads
from services.sales.opportunities.routes import blueprint as opportunities
from services.sales.orders.routes import blueprint as orders
from services.sales.pipelines.routes import blueprint as pipelines
from services.sales.products.routes import blueprint as products
from services.sales.products.routes import tax_rates
from services.sales.quotes.routes import blueprint as quotes
from services.sales.quotes.routes import quote_links
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]

BLUEPRINTS = (
    accounts,
    contacts,
    leads,
    activities,
    pipelines,
    opportunities,
    products,
    tax_rates,
    quotes,
    quote_links,
    orders,
    imports,
)


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, BLUEPRINTS)
