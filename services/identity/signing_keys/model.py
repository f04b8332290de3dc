"""The signing key aggregate."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from joserfc.jwk import ECKey
from sqlalchemy.orm import Mapped

from services.identity.database import Base
from services.identity.signing_keys.encryption import WrongSecret, decrypt, encrypt
from services.identity.signing_keys.errors import KeyUnreadable
from shared.db.base import AggregateRoot

__all__ = ["SigningKey"]


class SigningKey(AggregateRoot, Base):
    """A P-256 key pair named by its RFC 7638 thumbprint. All of them are published; the one that signs is the latest of
    those whose time, `signs_from`, has come."""

    __tablename__ = "signing_keys"
    AGGREGATE = "signing_key"

    kid: Mapped[str]
    public_jwk: Mapped[dict[str, Any]]
    private_key: Mapped[bytes]
    signs_from: Mapped[datetime]

    @classmethod
    def generate(cls, secret: str, signs_from: datetime) -> Self:
        """A fresh pair whose private half only `secret` opens."""
        key = ECKey.generate_key("P-256", private=True)
        kid = key.thumbprint()
        public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "ES256"}
        private = encrypt(key.as_pem(private=True), kid, secret)
        return cls(kid=kid, public_jwk=public, private_key=private, signs_from=signs_from)

    def open(self, secret: str) -> ECKey:
        """The key to sign with. Raises KeyUnreadable."""
        try:
            pem = decrypt(self.private_key, self.kid, secret)
        except WrongSecret as error:
            raise KeyUnreadable(
                "Set CRM_SECRET to what it was when the key was made. If it is lost, `keys replace` makes another key."
            ) from error
        return ECKey.import_key(pem, {"kid": self.kid})

    def change_secret(self, old: str, new: str) -> bool:
        """Encrypt the private half anew; False when `new` opens it already. Raises KeyUnreadable."""
        for secret in (new, old):
            try:
                pem = decrypt(self.private_key, self.kid, secret)
            except WrongSecret:
                continue
            if secret != new:
                self.private_key = encrypt(pem, self.kid, new)
            return secret != new
        raise KeyUnreadable("The old secret is not the one that the keys were encrypted with.")
