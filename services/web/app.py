"""The HTTP side of web."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from flask import Flask

from services.web.settings import WebSettings
from services.web.start.routes import LINK, LOOKOUT, STORY, blueprint
from shared.observability.lookout import Lookout
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    settings = cast(WebSettings, runtime.settings)
    app = create_web_app(runtime, [blueprint], open_prefixes=("/", "/live", "/assets"), has_bus=False)
    app.extensions[LINK] = settings.link
    app.extensions[LOOKOUT] = Lookout(settings.addresses)
    app.extensions[STORY] = Path(settings.demo_file) if settings.demo_file else None
    return app
