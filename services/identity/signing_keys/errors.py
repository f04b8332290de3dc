"""Refusals of the signing keys slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Unavailable

__all__ = ["KeyUnreadable", "NoSigningKey", "RotationUnderWay"]


class NoSigningKey(Unavailable):
    """There is no key to sign with before the first run."""

    problem = "no-signing-key"
    title = "There is no key to sign tokens with"


class KeyUnreadable(Conflict):
    """The private key was encrypted under another CRM_SECRET."""

    problem = "signing-key-unreadable"
    title = "The signing key cannot be decrypted"


class RotationUnderWay(Conflict):
    """The next key is published and has not begun to sign."""

    problem = "rotation-under-way"
    title = "The next key waits for its time"
