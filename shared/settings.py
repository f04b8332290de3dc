"""Settings from the environment: typed, and a wrong one stops the start, naming what it should be."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from marshmallow import ValidationError, fields, validate

__all__ = ["Settings", "SettingsError", "variable"]

PREFIX = "CRM_"


class SettingsError(Exception):
    """Some variables are missing or wrong; the text names each of them."""


class _File(fields.String):
    """The path of a file."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return Path(super()._deserialize(value, attr, data, **options))


def variable(field: fields.Field[Any], says: str, *, secret: bool = False, **options: Any) -> Any:
    """A setting read from the variable `CRM_<NAME>` with a marshmallow field; `default=` makes it optional, a
    `secret` one is not shown when the settings are printed."""
    metadata = {"field": field, "says": says}
    return dataclasses.field(metadata=metadata, kw_only=True, repr=not secret, **options)


_PORT = validate.Range(1, 65535)
_NEEDED_BY_BUS = {"postgres": "bus_database_url", "kafka": "kafka_bootstrap"}


@dataclass(frozen=True)
class Settings:
    """What every service needs. A service with more settings derives its own class."""

    service: str = variable(fields.String(), "The service's name")
    database_url: str = variable(fields.String(), "PostgreSQL URL of the service's own database", secret=True)
    bus: str = variable(
        fields.String(validate=validate.OneOf([*_NEEDED_BY_BUS])), "Which broker carries facts"
    )
    bus_database_url: str | None = variable(
        fields.String(), "PostgreSQL URL of the embedded bus", secret=True, default=None
    )
    kafka_bootstrap: str | None = variable(
        fields.String(), "Kafka's bootstrap servers, host:port,...", default=None
    )
    host: str = variable(fields.String(), "Address the web process listens on", default="127.0.0.1")
    port: int = variable(fields.Integer(validate=_PORT), "Port of the HTTP API", default=8000)
    health_port: int = variable(fields.Integer(validate=_PORT), "Port of health and metrics", default=9000)
    identity_url: str = variable(
        fields.String(), "Base URL of identity: the issuer of tokens", default="http://127.0.0.1:8101"
    )
    jwks_file: Path | None = variable(
        _File(), "A JWKS file to verify tokens with, instead of asking identity", default=None
    )
    public_url: str = variable(
        fields.String(), "Base URL that people's browsers use", default="http://127.0.0.1:8080"
    )
    secret: str = variable(
        fields.String(validate=validate.Length(min=16)), "Signs cursors and links", secret=True
    )
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

    @classmethod
    def from_env(cls, service: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings of `service`. Raises SettingsError naming every wrong variable at once."""
        declared = [field for field in dataclasses.fields(cls) if field.name != "service"]
        # An empty variable is one that was not set: compose files and shells cannot tell the difference.
        given = {name: value for name, value in environ.items() if value}
        needed = _NEEDED_BY_BUS.get(given.get(_name_of("bus"), ""))
        wrong: dict[str, str] = {}
        values: dict[str, Any] = {}
        for setting in declared:
            name = _name_of(setting.name)
            if name in given:
                try:
                    values[setting.name] = setting.metadata["field"].deserialize(given[name])
                except ValidationError as error:
                    wrong[name] = f"{' '.join(map(str, error.messages))} ({setting.metadata['says']})"
            elif _is_required(setting):
                wrong[name] = f"Missing. ({setting.metadata['says']})"
            elif setting.name == needed:
                wrong[name] = f"Missing, and {_name_of('bus')} needs it. ({setting.metadata['says']})"
        if wrong:
            lines = (f"  {name}: {problem}" for name, problem in sorted(wrong.items()))
            raise SettingsError(f"Wrong settings for {service}:\n" + "\n".join(lines))
        return cls(service=service, **values)


def _name_of(setting: str) -> str:
    return f"{PREFIX}{setting.upper()}"


def _is_required(setting: dataclasses.Field[Any]) -> bool:
    return setting.default is dataclasses.MISSING and setting.default_factory is dataclasses.MISSING
