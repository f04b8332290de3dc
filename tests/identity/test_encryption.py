"""Private keys at rest."""

from __future__ import annotations

import pytest

from services.identity.signing_keys.encryption import WrongSecret, decrypt, encrypt

SECRET = "a secret that is long enough"


def test_what_is_encrypted_comes_back_and_is_not_readable_meanwhile() -> None:
    sealed = encrypt(b"private", "kid-1", SECRET)
    assert decrypt(sealed, "kid-1", SECRET) == b"private"
    assert b"private" not in sealed
    assert encrypt(b"private", "kid-1", SECRET) != sealed


@pytest.mark.parametrize(
    ("name", "secret", "damage"),
    [("kid-2", SECRET, 0), ("kid-1", f"{SECRET}!", 0), ("kid-1", SECRET, 1)],
    ids=["another name", "another secret", "a changed bit"],
)
def test_anything_else_opens_nothing(name: str, secret: str, damage: int) -> None:
    sealed = encrypt(b"private", "kid-1", SECRET)
    with pytest.raises(WrongSecret):
        decrypt(sealed[:-1] + bytes([sealed[-1] ^ damage]), name, secret)


def test_too_few_bytes_are_refused_like_wrong_ones() -> None:
    with pytest.raises(WrongSecret):
        decrypt(b"short", "kid-1", SECRET)
