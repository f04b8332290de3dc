"""Identifiers: UUIDv7 (RFC 9562), so that keys made anywhere sort by the time they were made."""

from __future__ import annotations

import uuid

from uuid6 import uuid7

__all__ = ["new_id"]


def new_id() -> uuid.UUID:
    """A fresh UUIDv7 as a plain `uuid.UUID`."""
    # A plain UUID, not the library's subclass, so that types compare and serialise alike everywhere.
    return uuid.UUID(int=uuid7().int)
