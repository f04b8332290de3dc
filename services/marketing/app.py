"""The HTTP side of marketing."""

from __future__ import annotations

from flask import Flask

from services.marketing.forms.routes import blueprint as forms
from services.marketing.forms.routes import public_forms
from services.marketing.leads.routes import blueprint as leads
from services.marketing.scoring_models.routes import blueprint as scoring_models
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]

BLUEPRINTS = (leads, forms, public_forms, scoring_models)


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, BLUEPRINTS)
