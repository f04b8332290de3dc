"""Who speaks: what traces and metrics say about the process they come from."""

from __future__ import annotations

from typing import Protocol

from opentelemetry.sdk.resources import Resource

__all__ = ["TelemetrySettings", "resource_of"]


class TelemetrySettings(Protocol):
    """What telemetry reads of the settings."""

    @property
    def service(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def otlp_endpoint(self) -> str | None: ...


def resource_of(settings: TelemetrySettings, role: str) -> Resource:
    """The process of `role` (web, bus) of a service; attribute names: OpenTelemetry resource conventions."""
    return Resource.create(
        {
            "service.name": settings.service,
            "service.namespace": "crm",
            "deployment.environment.name": settings.environment,
            "crm.process.role": role,
        }
    )
