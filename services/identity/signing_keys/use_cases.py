"""Make the keys that tokens are signed with, let one follow the other, and sign with them."""

from __future__ import annotations

from datetime import datetime, timedelta

from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from services.identity.access_token import LIFETIME_SECONDS
from services.identity.signing_keys.errors import NoSigningKey, RotationUnderWay
from services.identity.signing_keys.model import SigningKey
from services.identity.signing_keys.repository import SigningKeys
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer
from shared.web.tokens import LEEWAY_SECONDS, STALE_SECONDS

__all__ = [
    "LASTS_AFTER_SIGNING",
    "PUBLISHED_BEFORE_SIGNING",
    "RETIREMENT",
    "KeyRing",
    "change_secret",
    "ensure_signing_key",
    "replace_signing_keys",
    "retire_signing_key",
    "rotate_signing_key",
]

PUBLISHED_BEFORE_SIGNING = timedelta(seconds=STALE_SECONDS)
"""Services go on with the keys they know for so long when identity is away; after it, each of them has the next."""
LASTS_AFTER_SIGNING = timedelta(seconds=LIFETIME_SECONDS + LEEWAY_SECONDS + STALE_SECONDS)
"""A key stays published until its last token has ended, for every clock and every copy of the key set."""
RETIREMENT = "signing_key.retire"


def ensure_signing_key(secret: str, uow: UnitOfWork) -> SigningKey:
    """The key that signs; a fresh one if there is none. Raises KeyUnreadable when `secret` is another's."""
    with uow:
        keys, now = SigningKeys(uow.session), uow.clock.now()
        key = keys.signing(now) or keys.add(SigningKey.generate(secret, now))
        key.open(secret)
        return key


def rotate_signing_key(
    secret: str, uow: UnitOfWork, *, published_before: timedelta = PUBLISHED_BEFORE_SIGNING
) -> SigningKey:
    """Publish a key that signs after `published_before`; those before it are deleted when their tokens have ended.

    Raises NoSigningKey, KeyUnreadable, and RotationUnderWay while such a key still waits.
    """
    with uow:
        keys, now = SigningKeys(uow.session), uow.clock.now()
        before = keys.published(lock=True)
        signing = keys.signing(now)
        if signing is None:
            raise NoSigningKey(_NOT_SET_UP)
        signing.open(secret)
        if before[0].signs_from > now:
            raise RotationUnderWay(
                f"The key {before[0].kid} signs from {before[0].signs_from:%Y-%m-%d %H:%M} UTC."
            )
        key = keys.add(SigningKey.generate(secret, now + published_before))
        uow.timers.set("signing_key", signing.id, RETIREMENT, key.signs_from + LASTS_AFTER_SIGNING)
        return key


def replace_signing_keys(secret: str, uow: UnitOfWork) -> SigningKey:
    """Sign with a new key from now on and delete all others: for one that leaked. Tokens given out before are void as
    soon as a service has read the keys again, within five minutes."""
    with uow:
        keys = SigningKeys(uow.session)
        for key in keys.published(lock=True):
            uow.session.delete(key)
        return keys.add(SigningKey.generate(secret, uow.clock.now()))


def retire_signing_key(timer: Timer, uow: UnitOfWork) -> None:
    """Delete a key whose last token has ended, unless it is the one that signs."""
    with uow:
        keys = SigningKeys(uow.session)
        key = keys.find(timer.owner_id)
        if key is not None and key is not keys.signing(uow.clock.now()):
            uow.session.delete(key)


def change_secret(old: str, new: str, uow: UnitOfWork) -> int:
    """Encrypt every private key with `new` in place of `old`; how many were not so already. Raises KeyUnreadable, and
    then changes none."""
    with uow:
        return sum(key.change_secret(old, new) for key in SigningKeys(uow.session).published(lock=True))


class KeyRing:
    """The keys of one process, each decrypted once. `secret` opens them."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._opened: dict[str, ECKey] = {}

    def signing_key(self, session: Session, now: datetime) -> ECKey:
        """The key to sign with at `now`. Raises NoSigningKey, KeyUnreadable."""
        key = SigningKeys(session).signing(now)
        if key is None:
            raise NoSigningKey(_NOT_SET_UP)
        if key.kid not in self._opened:
            self._opened[key.kid] = key.open(self._secret)
        return self._opened[key.kid]


_NOT_SET_UP = "The installation has not been set up: run migrate."
