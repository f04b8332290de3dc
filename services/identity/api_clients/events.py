"""Facts about API clients."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.kernel.events import Event

__all__ = ["ApiClientChanged"]


@dataclass(frozen=True)
class ApiClientChanged(Event):
    """An API client was made, edited, given a new secret or disabled."""

    TYPE = "crm.identity.api_client.changed.v1"

    api_client_id: uuid.UUID
    client_id: str
    name: str
    kind: str
    scopes: list[str]
    audiences: list[str]
    rate_class: str
    epoch: int
    active: bool
