"""Settings of identity beside those of every service."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import fields, validate

from shared.settings import Settings, variable

__all__ = ["IdentitySettings"]


@dataclass(frozen=True)
class IdentitySettings(Settings):
    """`secret` also encrypts the private signing keys: keep it as long as the database, or see `keys change-secret`."""

    admin_client_id: str = variable(
        fields.String(validate=validate.Regexp(r"^[a-z][a-z0-9-]{2,63}\Z")),
        "Name of the API client that acts for the administrator, outside production",
        default="local-admin",
    )
    admin_client_secret: str | None = variable(
        fields.String(validate=validate.Length(min=32)),
        "Secret of that client; without one there is no such client",
        secret=True,
        default=None,
    )
