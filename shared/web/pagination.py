"""Cursors: where a list goes on, signed and bound to the list, its filters and its sort."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import urlencode

import orjson
from werkzeug.datastructures import MultiDict

from shared.web.problems import InvalidCursor

__all__ = ["MAX_LIMIT", "CursorSigner", "next_link"]

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_NOT_PART_OF_THE_LIST = ("cursor", "limit", "fields")
_TAG_BYTES = 16


def _same_list(path: str, query: MultiDict[str, str]) -> bytes:
    """What must not change between two pages: the path and all filters."""
    kept = sorted(
        (name, value) for name, value in query.items(multi=True) if name not in _NOT_PART_OF_THE_LIST
    )
    return orjson.dumps([path, kept])


class CursorSigner:
    """Makes cursors opaque and unforgeable (HMAC-SHA-256, 128 bits of it)."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"cursor\x00" + secret.encode()).digest()

    def sign(self, position: Sequence[str], path: str, query: MultiDict[str, str]) -> str:
        """`position` (sort values and key of a page's last row) as a cursor for the same list."""
        body = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._tag(body, path, query) + body).rstrip(b"=").decode()

    def verify(self, cursor: str, path: str, query: MultiDict[str, str]) -> list[str]:
        """The position in `cursor`. Raises InvalidCursor unless it was made for this very list."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not body or not hmac.compare_digest(tag, self._tag(body, path, query)):
            raise InvalidCursor(
                "Start again without a cursor; a cursor is good for the filters it was given with."
            )
        position: list[str] = orjson.loads(body)
        return position

    def _tag(self, body: bytes, path: str, query: MultiDict[str, str]) -> bytes:
        message = _same_list(path, query) + b"\x00" + body
        return hmac.new(self._key, message, hashlib.sha256).digest()[:_TAG_BYTES]


def next_link(path: str, query: MultiDict[str, str], cursor: str) -> str:
    """The `Link` header that leads to the next page."""
    kept = [(name, value) for name, value in query.items(multi=True) if name != "cursor"]
    return f'<{path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'
