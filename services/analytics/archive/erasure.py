"""Forget persons: what the archive keeps for ever loses, on hearing of an erasure, what says who it was about.

The facts stay, with their ids, times and amounts; so every figure can still be worked out from them.
"""

from __future__ import annotations

import orjson

from shared.contracts.catalog import Catalog, UnknownType

__all__ = ["without_personal_data"]


def without_personal_data(fact_type: str, data_class: str | None, payload: bytes) -> bytes:
    """The message without what its schema marks as personal. Of a type that is not in the contracts nobody knows which
    members are personal, only, by its `data_class`, whether some are: it loses all of them."""
    try:
        return orjson.dumps(Catalog.load().blanked(fact_type, orjson.loads(payload)))
    except UnknownType:
        return b"{}" if data_class == "pii" else payload
