"""Reading what callers send, with limits: depth, NUL characters, media type; and text as JSON types."""

from __future__ import annotations

from typing import Any

import marshmallow
import orjson
from flask import request
from marshmallow import fields as kinds
from werkzeug.datastructures import MultiDict

from shared.web.problems import BadRequest, UnsupportedMediaType, Validation

__all__ = ["MAX_BODY", "MAX_DEPTH", "json_body", "text_values"]

MAX_BODY = 1024 * 1024
MAX_DEPTH = 32
_BOOLEANS = {"true": True, "false": False}


def json_body() -> Any:
    """The body as JSON values; an absent body is an empty object. Raises BadRequest, UnsupportedMediaType."""
    raw = request.get_data(cache=True)
    if not raw:
        return {}
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from None
    # Counting brackets and looking for the escape rules nearly all bodies out without walking them.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(body)
    if b"\\u0000" in raw:
        _check_nul(body)
    return body


def _check_depth(body: Any) -> None:
    level = [body]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise BadRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_nul(body: Any) -> None:
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and "\x00" in value:
            raise BadRequest("NUL characters are not allowed.")
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def text_values(schema: marshmallow.Schema, given: MultiDict[str, str]) -> dict[str, Any]:
    """Query or form values in the JSON types of `schema`'s fields. A list may be repeated or comma-separated;
    anything else must not be repeated. Raises Validation."""
    values: dict[str, Any] = {}
    by_key = {declared.data_key or name: declared for name, declared in schema.load_fields.items()}
    for name, texts in given.lists():
        if any("\x00" in text for text in texts):
            raise BadRequest("NUL characters are not allowed.")
        declared = by_key.get(name)
        if isinstance(declared, kinds.List):
            parts = [part for text in texts for part in text.split(",") if part]
            values[name] = [_typed(declared.inner, part) for part in parts]
        elif len(texts) > 1:
            raise Validation([{"pointer": f"/{name}", "detail": "Given more than once."}])
        else:
            values[name] = _typed(declared, texts[0])
    return values


def _typed(declared: Any, text: str) -> Any:
    """`text` as the JSON type that `declared` reads; as it is where it cannot be one, for the field to
    refuse."""
    if isinstance(declared, kinds.Integer):
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 19 else text
    if isinstance(declared, kinds.Boolean):
        return _BOOLEANS.get(text, text)
    return text
