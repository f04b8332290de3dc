"""Telemetry of every process: structured logs, traces and metrics. It knows nothing about the business."""
