"""The telemetry of one process, from its start (after the fork) to its last call."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from shared.observability.metrics import metrics
from shared.observability.resource import TelemetrySettings, resource_of
from shared.observability.traces import configure_tracing, shutdown_tracing

__all__ = ["start_telemetry", "stop_telemetry"]

_EVERY_MS = 15_000.0


def start_telemetry(settings: TelemetrySettings, role: str) -> None:
    """Push spans and metrics to `settings.otlp_endpoint`; without one there is only the metrics page.

    Exporters own threads, and those do not survive a fork: a server that forks workers calls this in the worker.
    """
    configure_tracing(settings, role)
    if settings.otlp_endpoint is None:
        return
    exporter = OTLPMetricExporter(f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics", timeout=5)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=_EVERY_MS)
    metrics.push_to(reader, resource_of(settings, role))


def stop_telemetry() -> None:
    """Push what is left (a few seconds at most): the last call of a process."""
    shutdown_tracing()
    metrics.shutdown()
