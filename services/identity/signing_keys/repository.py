"""Get and find signing keys."""

from __future__ import annotations

from sqlalchemy import select

from services.identity.signing_keys.model import SigningKey
from shared.db.repository import Repository

__all__ = ["SigningKeys"]


class SigningKeys(Repository[SigningKey]):
    """The signing keys of one session."""

    model = SigningKey

    def newest(self) -> SigningKey | None:
        """The key that signs, None before the first run."""
        order = (SigningKey.created_at.desc(), SigningKey.id.desc())
        return self.session.scalars(select(SigningKey).order_by(*order).limit(1)).first()
