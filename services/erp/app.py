"""The HTTP side of the connector."""

from __future__ import annotations

from flask import Flask

from services.erp.demo_erp.routes import blueprint as demo_erp
from services.erp.links.routes import answers
from services.erp.links.routes import blueprint as links
from services.erp.mappings.routes import blueprint as mappings
from services.erp.open_events.routes import blueprint as open_events
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    app = create_web_app(runtime, [links, answers, mappings, open_events, demo_erp])
    app.config["ENVIRONMENT"] = runtime.settings.environment
    return app
