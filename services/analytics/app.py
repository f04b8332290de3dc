"""The HTTP side of analytics."""

from __future__ import annotations

from flask import Flask

from services.analytics.archive.routes import blueprint as archive
from services.analytics.customers.routes import blueprint as customers
from services.analytics.kpis.routes import blueprint as kpis
from services.analytics.projections.routes import blueprint as projections
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, [archive, projections, customers, kpis])
