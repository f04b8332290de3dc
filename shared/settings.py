"""Settings from the environment: typed, and a wrong one stops the start with its name and what it should be."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

__all__ = ["Settings", "SettingsError", "variable"]

PREFIX = "CRM_"


class SettingsError(Exception):
    """Some variables are missing or wrong; the text names each of them."""


def variable(field: fields.Field[Any], says: str, **options: Any) -> Any:
    """A setting read from the variable `CRM_<NAME>` with a marshmallow field; `default=` makes it optional."""
    return dataclasses.field(metadata={"field": field, "says": says}, kw_only=True, **options)


_PORT = validate.Range(1, 65535)


@dataclass(frozen=True)
class Settings:
    """What every service needs. A service with more settings derives its own class."""

    service: str = variable(fields.String(), "The service's name")
    database_url: str = variable(fields.String(), "PostgreSQL URL of the service's own database")
    bus: str = variable(fields.String(validate=validate.OneOf(["postgres", "kafka"])), "Which broker carries facts")
    bus_database_url: str | None = variable(fields.String(), "PostgreSQL URL of the embedded bus", default=None)
    kafka_bootstrap: str | None = variable(fields.String(), "Kafka's bootstrap servers, host:port,...", default=None)
    host: str = variable(fields.String(), "Address the web process listens on", default="127.0.0.1")
    port: int = variable(fields.Integer(validate=_PORT), "Port of the HTTP API", default=8000)
    health_port: int = variable(fields.Integer(validate=_PORT), "Port of health and metrics", default=9000)
    identity_url: str = variable(
        fields.String(), "Base URL of identity: the issuer of tokens", default="http://127.0.0.1:8101"
    )
    jwks_file: Path | None = variable(
        fields.String(), "A JWKS file to verify tokens with, instead of asking identity", default=None
    )
    public_url: str = variable(fields.String(), "Base URL that people's browsers use", default="http://127.0.0.1:8080")
    secret: str = variable(fields.String(validate=validate.Length(min=16)), "Signs cursors and links")
    web_workers: int = variable(fields.Integer(validate=validate.Range(1, 64)), "gunicorn workers", default=1)
    web_threads: int = variable(
        fields.Integer(validate=validate.Range(1, 128)), "Threads per gunicorn worker", default=8
    )
    rate_limit: str = variable(fields.String(), "Requests a client may make", default="600/second")
    public_rate_limit: str = variable(
        fields.String(), "Requests an address may make at open doors", default="60/minute"
    )
    otlp_endpoint: str | None = variable(fields.String(), "OTLP/HTTP endpoint for traces", default=None)
    log_level: str = variable(
        fields.String(validate=validate.OneOf(["debug", "info", "warning", "error"])),
        "The least important log lines that are written",
        default="info",
    )
    environment: str = variable(
        fields.String(validate=validate.OneOf(["local", "production"])),
        "Production refuses test hooks",
        default="local",
    )

    def __post_init__(self) -> None:
        needed = {"postgres": "bus_database_url", "kafka": "kafka_bootstrap"}[self.bus]
        if getattr(self, needed) is None:
            raise SettingsError(f"{PREFIX}{needed.upper()} is needed when {PREFIX}BUS is {self.bus}")

    @classmethod
    def from_env(cls, service: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings of `service`. Raises SettingsError naming every wrong variable at once."""
        declared = {field.name: field for field in dataclasses.fields(cls) if field.name != "service"}
        schema = Schema.from_dict(
            {
                name: _bound(field.metadata["field"], name, required=_is_required(field))
                for name, field in declared.items()
            }
        )(unknown=EXCLUDE)
        try:
            values = schema.load({name: value for name, value in environ.items() if value != ""})
        except ValidationError as error:
            lines = [
                f"  {name}: {' '.join(map(str, messages))} ({_says(declared, name)})"
                for name, messages in sorted(error.normalized_messages().items())
            ]
            raise SettingsError(f"Wrong settings for {service}:\n" + "\n".join(lines)) from error
        if values.get("jwks_file"):
            values["jwks_file"] = Path(values["jwks_file"])
        return cls(service=service, **values)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _bound(field: fields.Field[Any], name: str, *, required: bool) -> fields.Field[Any]:
    """A copy of a declared field, tied to its variable (a marshmallow field belongs to one schema)."""
    return type(field)(
        data_key=f"{PREFIX}{name.upper()}", required=required, validate=field.validate, allow_none=False
    )


def _says(declared: Mapping[str, dataclasses.Field[Any]], variable_name: str) -> str:
    says: str = declared[variable_name.removeprefix(PREFIX).lower()].metadata["says"]
    return says
