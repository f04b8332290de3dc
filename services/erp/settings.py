"""Settings of the connector."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import fields, validate

from shared.settings import Settings, variable

__all__ = ["ErpSettings"]

_SECONDS = validate.Range(0.01, 3_600)


@dataclass(frozen=True)
class ErpSettings(Settings):
    """How the connector meets its ERP."""

    erp_port: str = variable(
        fields.String(validate=validate.OneOf(["demo", "pull"])),
        "demo: the ERP inside this service; pull: another system fetches orders and answers over HTTP",
        default="demo",
    )
    erp_settle_seconds: float = variable(
        fields.Float(validate=_SECONDS),
        "How long a create of unknown outcome may still take effect; at least the ERP's own request limit",
        default=120.0,
    )
    erp_request_seconds: float = variable(
        fields.Float(validate=_SECONDS), "How long to wait for an answer of the ERP", default=10.0
    )
    erp_retry_seconds: float = variable(
        fields.Float(validate=_SECONDS),
        "First pause after the ERP could not be reached; it doubles to 30 s",
        default=1.0,
    )
    erp_poll_seconds: float = variable(
        fields.Float(validate=_SECONDS),
        "Pause between two questions for what changed in the ERP",
        default=1.0,
    )
    erp_demo_step_seconds: float = variable(
        fields.Float(validate=_SECONDS),
        "How long the demo ERP takes to ship, to invoice and to get paid, each",
        default=0.5,
    )
