"""Make the key that tokens are signed with, and sign with it."""

from __future__ import annotations

from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from services.identity.signing_keys.errors import NoSigningKey
from services.identity.signing_keys.model import SigningKey
from services.identity.signing_keys.repository import SigningKeys
from shared.db.unit_of_work import UnitOfWork

__all__ = ["KeyRing", "ensure_signing_key"]


def ensure_signing_key(secret: str, uow: UnitOfWork) -> SigningKey:
    """The key that signs; a fresh one if there is none. Raises KeyUnreadable when `secret` is another's."""
    with uow:
        keys = SigningKeys(uow.session)
        key = keys.newest() or keys.add(SigningKey.generate(secret))
        key.open(secret)
        return key


class KeyRing:
    """The keys of one process, each decrypted once. `secret` opens them."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._opened: dict[str, ECKey] = {}

    def signing_key(self, session: Session) -> ECKey:
        """The key to sign with now. Raises NoSigningKey, KeyUnreadable."""
        key = SigningKeys(session).newest()
        if key is None:
            raise NoSigningKey("The installation has not been set up: run migrate.")
        if key.kid not in self._opened:
            self._opened[key.kid] = key.open(self._secret)
        return self._opened[key.kid]
