"""Read API clients."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.identity.api_clients.model import ApiClient
from services.identity.api_clients.repository import ApiClients
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_api_client", "list_api_clients"]

_CLIENTS = Listing(
    select(*ApiClient.__table__.columns),
    key=ApiClient.id,
    filters={
        "client_id": equals(ApiClient.client_id),
        "state": equals(ApiClient.state),
        "ids": one_of(ApiClient.id),
    },
    sorts={"client_id": ApiClient.client_id, "created_at": ApiClient.created_at},
)


def list_api_clients(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of API clients."""
    return _CLIENTS.page(session, arguments)


def get_api_client(session: Session, api_client_id: uuid.UUID) -> ApiClient:
    """One API client. Raises NotFound."""
    return ApiClients(session).get(api_client_id)
