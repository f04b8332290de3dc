"""How private keys are kept: AES-256-GCM under a key derived from the service's secret.

The key comes from HKDF-SHA256 (RFC 5869). What is encrypted is bound to its name, so that two keys cannot be
swapped in the database.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["WrongSecret", "decrypt", "encrypt"]

_NONCE_BYTES = 12
_PURPOSE = b"crm identity signing keys"


class WrongSecret(Exception):
    """The secret, the name or the ciphertext is not the one that belongs to the others."""


def encrypt(plaintext: bytes, name: str, secret: str) -> bytes:
    """Nonce and ciphertext of `plaintext`, readable only with `secret` and under `name`."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, plaintext, name.encode())


def decrypt(ciphertext: bytes, name: str, secret: str) -> bytes:
    """What `encrypt` was given. Raises WrongSecret."""
    nonce, body = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
    try:
        return _cipher(secret).decrypt(nonce, body, name.encode())
    except (InvalidTag, ValueError) as error:
        raise WrongSecret from error


def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode()))
