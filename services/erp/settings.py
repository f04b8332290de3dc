"""Settings of the connector."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import fields, validate

from shared.settings import Settings, SettingsError, variable

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
    erp_settle_seconds: float | None = variable(
        fields.Float(validate=_SECONDS),
        "How long a create of unknown outcome may still take effect: 120, locally 3",
        default=None,
    )
    erp_request_seconds: float | None = variable(
        fields.Float(validate=_SECONDS),
        "How long to wait for an answer of the ERP: 10, locally 2",
        default=None,
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

    def __post_init__(self) -> None:
        if self.settle_seconds < self.request_seconds:
            raise SettingsError("CRM_ERP_SETTLE_SECONDS must not be less than CRM_ERP_REQUEST_SECONDS")

    @property
    def settle_seconds(self) -> float:
        """At least the ERP's own request limit: a create that nobody waits for any more may still commit."""
        return self.erp_settle_seconds or (120.0 if self.environment == "production" else 3.0)

    @property
    def request_seconds(self) -> float:
        """How long to wait for an answer of the ERP."""
        return self.erp_request_seconds or (10.0 if self.environment == "production" else 2.0)
