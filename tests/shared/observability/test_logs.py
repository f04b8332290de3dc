"""Log lines: one JSON object each, joined to the trace, never with a secret in it."""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.observability.logs import REDACTED, configure_logging, redact
from shared.observability.traces import tracer

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The parsed lines of what this test logs; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("sales", "bus", "info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_the_agreed_fields(lines: Lines) -> None:
    logging.getLogger("services.sales").info("won %s", "O-1", extra={"topic": "crm.sales.opportunity"})
    (line,) = lines()
    at = datetime.fromisoformat(line.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert line == {
        "level": "INFO",
        "logger": "services.sales",
        "message": "won O-1",
        "service": "sales",
        "role": "bus",
        "topic": "crm.sales.opportunity",
    }


def test_a_line_inside_a_span_carries_its_ids(lines: Lines) -> None:
    with tracer().start_as_current_span("GET /accounts") as span:
        logging.getLogger("services.sales").warning("slow")
    (line,) = lines()
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_records_below_the_level_are_not_written(lines: Lines) -> None:
    logging.getLogger("services.sales").debug("detail")
    logging.getLogger("kafka.client").info("reconnecting")
    assert lines() == []


def test_configuring_twice_writes_each_record_once(lines: Lines) -> None:
    second = io.StringIO()
    configure_logging("sales", "web", "warning", second)
    logging.getLogger("x").warning("once")
    assert lines() == []
    assert [json.loads(line)["role"] for line in second.getvalue().splitlines()] == ["web"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging("sales", "web", "loud", io.StringIO())


def test_a_traceback_is_redacted_and_the_record_is_left_alone(lines: Lines) -> None:
    seen: list[logging.LogRecord] = []
    watcher = logging.Handler()
    watcher.emit = seen.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(watcher)
    try:
        raise RuntimeError("refused for ada@example.org with Bearer eyJhbGci.eyJzdWIi")
    except RuntimeError:
        logging.getLogger("x").exception("failed for %s", "ada@example.org")
    (line,) = lines()
    assert line["message"] == "failed for [e-mail]"
    assert f"refused for [e-mail] with Bearer {REDACTED}" in line["exc_info"]
    assert seen[0].args == ("ada@example.org",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer eyJhbGci.eyJzdWIi.c2ln", f"Authorization: Bearer {REDACTED}"),
        ("Authorization: Basic dXNlcjpwYXNz was sent", f"Authorization: Basic {REDACTED} was sent"),
        ("key crmk_live_9aZ-0 used", f"key crmk_{REDACTED} used"),
        (
            "at postgresql://crm:s3cret@127.0.0.1:5432/sales",
            f"at postgresql://crm:{REDACTED}@127.0.0.1:5432/sales",
        ),
        ('{"password": "a b c", "name": "Ada"}', f'{{"password": {REDACTED}, "name": "Ada"}}'),
        ("grant?refresh_token=abc123&scope=all", f"grant?refresh_token={REDACTED}&scope=all"),
        ("to ada.lovelace+crm@mail.example.co.uk, please", "to [e-mail], please"),
        ("3 tokens left, order 7 at 12:30 for https://shop.example.org/a", None),
        ("the bearer of the basic plan", None),
        ("topic crm.sales.opportunity, key 0190-a, offset 7", None),
    ],
)
def test_secrets_in_text_are_replaced_and_nothing_else(text: str, expected: str | None) -> None:
    assert redact(text) == (text if expected is None else expected)


def test_fields_with_telling_names_are_replaced_at_any_depth() -> None:
    fields = {
        "request": {"client_secret": "x", "headers": [{"Authorization": "y"}, {"accept": "z"}]},
        "api_key": ["k1", "k2"],
        "has_token": True,
        "password": None,
        "count": 3,
    }
    assert redact(fields) == {
        "request": {"client_secret": REDACTED, "headers": [{"Authorization": REDACTED}, {"accept": "z"}]},
        "api_key": REDACTED,
        "has_token": True,
        "password": None,
        "count": 3,
    }


@pytest.mark.parametrize("unit", ["a", "a.", "a://", "password ", "@"])
def test_a_long_text_without_secrets_is_read_in_linear_time(unit: str) -> None:
    text = unit * (900_000 // len(unit))
    began = time.process_time()
    assert redact(text) == text
    assert time.process_time() - began < 10, "quadratic work on this text takes minutes"
