"""Read the published keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.identity.signing_keys.model import SigningKey
from services.identity.signing_keys.repository import SigningKeys
from shared.db.engine import Database
from shared.web.tokens import KeysUnavailable

__all__ = ["PublishedKey", "jwks", "list_keys", "read_jwks"]


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key that services may meet: it waits for its time, signs, or signed before."""

    kid: str
    state: Literal["waiting", "signing", "retiring"]
    signs_from: datetime


def list_keys(session: Session, now: datetime) -> list[PublishedKey]:
    """Every published key as it is at `now`, the one that signs last first."""
    keys = SigningKeys(session)
    signing = keys.signing(now)

    def state(key: SigningKey) -> Literal["waiting", "signing", "retiring"]:
        if key is signing:
            return "signing"
        return "waiting" if key.signs_from > now else "retiring"

    return [PublishedKey(key.kid, state(key), key.signs_from) for key in keys.published()]


def jwks(session: Session) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) of the public keys, the one that signs last first."""
    order = (SigningKey.signs_from.desc(), SigningKey.id.desc())
    return {"keys": list(session.scalars(select(SigningKey.public_jwk).order_by(*order)))}


def read_jwks(database: Database) -> bytes:
    """The key set as identity's own web process reads it to verify tokens. Raises KeysUnavailable."""
    try:
        with database.session() as session:
            return orjson.dumps(jwks(session))
    except SQLAlchemyError as error:
        raise KeysUnavailable(type(error).__name__) from error
