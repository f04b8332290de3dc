"""Get and find API clients."""

from __future__ import annotations

from sqlalchemy import select

from services.identity.api_clients.model import ApiClient
from shared.db.repository import Repository

__all__ = ["ApiClients"]


class ApiClients(Repository[ApiClient]):
    """The API clients of one session."""

    model = ApiClient

    def with_client_id(self, client_id: str) -> ApiClient | None:
        """The client of this name."""
        return self.session.scalar(select(ApiClient).where(ApiClient.client_id == client_id))
