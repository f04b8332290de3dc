"""Settings from the environment: typed, and a wrong one stops the start, naming what it should be.

A secret may also lie in a file: `CRM_SECRET_FILE=/run/crm/secret` stands for the `CRM_SECRET` that the file holds.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from marshmallow import ValidationError, fields, validate

__all__ = [
    "SECRET_CHARACTERS",
    "KafkaSettings",
    "Settings",
    "SettingsError",
    "from_file",
    "name_of",
    "variable",
]

SECRET_CHARACTERS = 16
"""The least that CRM_SECRET may have."""
PREFIX = "CRM_"
FILE = "_FILE"


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
_LOGIN = ("kafka_username", "kafka_password")
# A value of a setting, and the settings that it cannot do without.
_NEEDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("bus", "postgres"): ("bus_database_url",),
    ("bus", "kafka"): ("kafka_bootstrap",),
    ("kafka_security", "SASL_SSL"): _LOGIN,
}


@dataclass(frozen=True)
class KafkaSettings:
    """What a process needs that does nothing but speak to Kafka."""

    service: str = variable(fields.String(), "The service's name")
    kafka_bootstrap: str | None = variable(
        fields.String(), "Kafka's bootstrap servers, host:port,...", default=None
    )
    kafka_security: str = variable(
        fields.String(validate=validate.OneOf(["PLAINTEXT", "SSL", "SASL_SSL"])),
        "How Kafka is spoken to: SSL encrypts, SASL_SSL also proves who speaks (SCRAM-SHA-512)",
        default="PLAINTEXT",
    )
    kafka_username: str | None = variable(fields.String(), "Who speaks to Kafka", default=None)
    kafka_password: str | None = variable(
        fields.String(), "Password of CRM_KAFKA_USERNAME", secret=True, default=None
    )
    kafka_ca_file: Path | None = variable(
        _File(),
        "Certificates (PEM) of the authorities that Kafka's brokers are trusted by; else the system's",
        default=None,
    )
    environment: str = variable(
        fields.String(validate=validate.OneOf(["local", "production"])),
        "Production refuses test hooks, and a first run makes no administrator there",
        default="local",
    )

    @classmethod
    def from_env(cls, service: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings of `service`. Raises SettingsError naming every wrong variable at once."""
        declared = [field for field in dataclasses.fields(cls) if field.name != "service"]
        # An empty variable is one that was not set: compose files and shells cannot tell the difference.
        given = {name: value for name, value in environ.items() if value}
        wrong = _read_files(declared, given)
        needed_by = {
            setting: name_of(by)
            for (by, value), settings in _NEEDS.items()
            for setting in settings
            if given.get(name_of(by)) == value
        }
        values: dict[str, Any] = {}
        for setting in declared:
            name = name_of(setting.name)
            if name in wrong:
                continue
            if name in given:
                try:
                    values[setting.name] = setting.metadata["field"].deserialize(given[name])
                except ValidationError as error:
                    wrong[name] = f"{' '.join(map(str, error.messages))} ({setting.metadata['says']})"
            elif _is_required(setting):
                wrong[name] = f"Missing. ({setting.metadata['says']})"
            elif setting.name in needed_by:
                wrong[name] = f"Missing, and {needed_by[setting.name]} needs it. ({setting.metadata['says']})"
        if wrong:
            lines = (f"  {name}: {problem}" for name, problem in sorted(wrong.items()))
            raise SettingsError(f"Wrong settings for {service}:\n" + "\n".join(lines))
        return cls(service=service, **values)


@dataclass(frozen=True)
class Settings(KafkaSettings):
    """What every service needs. A service with more settings derives its own class."""

    database_url: str = variable(fields.String(), "PostgreSQL URL of the service's own database", secret=True)
    bus: str = variable(
        fields.String(validate=validate.OneOf(["postgres", "kafka"])), "Which broker carries facts"
    )
    bus_database_url: str | None = variable(
        fields.String(), "PostgreSQL URL of the embedded bus", secret=True, default=None
    )
    host: str = variable(fields.String(), "Address the web process listens on", default="127.0.0.1")
    port: int = variable(fields.Integer(validate=_PORT), "Port of the HTTP API", default=8000)
    health_port: int = variable(fields.Integer(validate=_PORT), "Port of health and metrics", default=9000)
    identity_url: str = variable(
        fields.String(), "Base URL at which services reach identity", default="http://127.0.0.1:8101"
    )
    issuer: str | None = variable(
        fields.String(),
        "Issuer of tokens, where people reach identity at another address than services do; else CRM_IDENTITY_URL",
        default=None,
    )
    jwks_file: Path | None = variable(
        _File(), "A JWKS file to verify tokens with, instead of asking identity", default=None
    )
    public_url: str = variable(
        fields.String(), "Base URL that people's browsers use", default="http://127.0.0.1:8080"
    )
    secret: str = variable(
        fields.String(validate=validate.Length(min=SECRET_CHARACTERS)), "Signs cursors and links", secret=True
    )
    proxies: int = variable(
        fields.Integer(validate=validate.Range(0, 8)),
        "Proxies in front of the HTTP API, whose X-Forwarded headers are believed",
        default=0,
    )
    web_workers: int = variable(fields.Integer(validate=validate.Range(1, 64)), "gunicorn workers", default=1)
    web_threads: int = variable(
        fields.Integer(validate=validate.Range(1, 128)), "Threads per gunicorn worker", default=8
    )
    web_linger_seconds: float = variable(
        fields.Float(validate=validate.Range(0, 9)),
        "How long a web process that stops keeps unused connections: longer than callers do",
        default=6.0,
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

    @property
    def issuer_url(self) -> str:
        """The `iss` of every token."""
        return self.issuer or self.identity_url


def name_of(setting: str) -> str:
    """The variable that a setting is read from."""
    return f"{PREFIX}{setting.upper()}"


def from_file(setting: dataclasses.Field[Any]) -> str | None:
    """The variable that may name a file with the value of a setting; None unless it is secret."""
    return None if setting.repr else f"{name_of(setting.name)}{FILE}"


def _read_files(declared: Iterable[dataclasses.Field[Any]], given: dict[str, str]) -> dict[str, str]:
    """Put secrets that lie in files into `given`; what is wrong, by the name of the setting's variable."""
    wrong: dict[str, str] = {}
    for setting in declared:
        name, of_file = name_of(setting.name), from_file(setting)
        if of_file is None or of_file not in given:
            continue
        if name in given:
            wrong[name] = f"Given twice: here and by {of_file}."
            continue
        try:
            content = Path(given[of_file]).read_text().rstrip("\r\n")
        except (OSError, ValueError) as error:
            wrong[name] = f"{of_file} cannot be read: {error}"
            continue
        if content:
            given[name] = content
        else:
            wrong[name] = f"{of_file} is empty: {given[of_file]}"
    return wrong


def _is_required(setting: dataclasses.Field[Any]) -> bool:
    return setting.default is dataclasses.MISSING and setting.default_factory is dataclasses.MISSING
