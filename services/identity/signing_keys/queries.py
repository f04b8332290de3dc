"""Read the published keys."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.identity.signing_keys.model import SigningKey
from shared.db.engine import Database
from shared.web.tokens import KeysUnavailable

__all__ = ["jwks", "read_jwks"]


def jwks(session: Session) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) of the public keys, newest first."""
    order = (SigningKey.created_at.desc(), SigningKey.id.desc())
    return {"keys": list(session.scalars(select(SigningKey.public_jwk).order_by(*order)))}


def read_jwks(database: Database) -> bytes:
    """The key set as identity's own web process reads it to verify tokens. Raises KeysUnavailable."""
    try:
        with database.session() as session:
            return orjson.dumps(jwks(session))
    except SQLAlchemyError as error:
        raise KeysUnavailable(type(error).__name__) from error
