"""The one place where the objects of web meet."""

from __future__ import annotations

from services.web.app import create_app
from services.web.settings import WebSettings
from shared.service import Service

__all__ = ["SERVICE"]

# It has no tables of its own and hears nothing: its database holds what the library keeps for every service.
SERVICE = Service(name="web", create_app=create_app, settings=WebSettings)
