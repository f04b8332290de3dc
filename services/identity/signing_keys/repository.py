"""Get and find signing keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from services.identity.signing_keys.model import SigningKey
from shared.db.repository import Repository

__all__ = ["SigningKeys"]


class SigningKeys(Repository[SigningKey]):
    """The signing keys of one session."""

    model = SigningKey

    def signing(self, now: datetime) -> SigningKey | None:
        """The key that signs at `now`, None before the first run. A clock that is behind does not leave it without."""
        keys = self.published()
        return next((key for key in keys if key.signs_from <= now), keys[-1] if keys else None)

    def published(self, *, lock: bool = False) -> list[SigningKey]:
        """Every key, the one that signs last first; with `lock` their rows are held until commit."""
        query = select(SigningKey).order_by(SigningKey.signs_from.desc(), SigningKey.id.desc())
        return list(self.session.scalars(query.with_for_update() if lock else query))
