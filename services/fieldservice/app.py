"""The HTTP side of field service."""

from __future__ import annotations

from flask import Flask

from services.fieldservice.appointments.routes import blueprint as appointments
from services.fieldservice.technicians.routes import blueprint as technicians
from services.fieldservice.work_orders.routes import blueprint as work_orders
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    return create_web_app(runtime, [work_orders, appointments, technicians])
