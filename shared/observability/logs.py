"""Structured logs: one JSON object a line, joined to the trace it was written in, without secrets.

Redaction happens in the formatter, on the finished fields, so it also covers `extra`, arguments and
tracebacks, and leaves the log record itself as it was for other handlers.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|api_?key|private_?key", re.IGNORECASE
)

# Each pattern begins with a literal, or only where a run of its characters begins: a long text is read once,
# not once more from each of its characters.
_SECRETS_IN_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(bearer\s+)[\w.~+/=-]{16,}", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(authorization\W{1,6}basic\s+)[\w+/=-]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"crmk_[\w-]+"), f"crmk_{REDACTED}"),
    (re.compile(r"(://[^\s:/@]{0,128}):[^\s/@]{1,256}@"), rf"\1:{REDACTED}@"),
    (
        re.compile(
            r"""((?:password|passwd|secret|token|api_?key)[\w-]{0,40}["']?\s{0,4}[=:]\s{0,4})"""
            r"""("[^"]*"|'[^']*'|[^\s,;&})\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?<![\w.%+'-])[\w.%+'-]+@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
)


def redact(value: Any, name: str = "") -> Any:
    """`value` without secrets and e-mail addresses; mappings and sequences are copied, other objects kept.

    `name` is the field the value stands in: whatever stands in a field named like a password, secret, token,
    cookie, key or authorization is replaced whole. In text, bearer and basic credentials, `crmk_` keys,
    passwords in addresses, `password=...` pairs and e-mail addresses are replaced.
    """
    if value is not None and not isinstance(value, bool) and _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        for pattern, replacement in _SECRETS_IN_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if isinstance(value, BaseException):
        return redact(repr(value))
    return value


class _Formatter(JsonFormatter):
    """Adds the current trace to each line and redacts the finished fields."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            log_data["trace_id"] = trace.format_trace_id(span.trace_id)
            log_data["span_id"] = trace.format_span_id(span.span_id)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        redacted: dict[str, Any] = redact(log_data)
        return redacted


class _Handler(logging.StreamHandler[TextIO]):
    """The handler this module installs; its type is how a second call finds and replaces the first one's."""


def configure_logging(service: str, role: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of this process to `stream` (standard error by default) as JSON lines.

    Each line has `time` (UTC, ISO 8601), `level`, `logger`, `message`, `service`, `role` and, inside a span,
    `trace_id` and `span_id` in hex; `extra` fields follow as they are named. `level` is a level name in any
    case. A second call replaces the first one's handler. Raises ValueError for an unknown level name.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        _Formatter(
            ("levelname", "name", "message"),
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"service": service, "role": role},
            timestamp="time",
        )
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    for installed in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(installed)
    root.addHandler(handler)
    logging.captureWarnings(True)
    # These report every probe, reconnect and request at INFO; what matters of it is logged by our own callers.
    for talkative in ("alembic", "kafka", "httpx", "httpcore"):
        logging.getLogger(talkative).setLevel(max(root.level, logging.WARNING))
