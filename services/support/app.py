"""The HTTP side of support."""

from __future__ import annotations

from flask import Flask

from services.support.assets.routes import blueprint as assets
from services.support.cases.routes import blueprint as cases
from services.support.contracts.routes import blueprint as contracts
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, [contracts, assets, cases])
