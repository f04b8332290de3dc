"""Read the company's settings."""

from __future__ import annotations

from sqlalchemy.orm import Session

from services.identity.organisation.model import Organisation
from services.identity.organisation.repository import Organisations

__all__ = ["get_organisation"]


def get_organisation(session: Session) -> Organisation:
    """The company. Raises NotFound before the first run."""
    return Organisations(session).only()
