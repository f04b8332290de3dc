"""The HTTP side of sales."""

from __future__ import annotations

from flask import Flask

from services.sales.accounts.routes import blueprint as accounts
from services.sales.opportunities.routes import blueprint as opportunities
from services.sales.pipelines.routes import blueprint as pipelines
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, [accounts, pipelines, opportunities])
