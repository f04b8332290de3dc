"""The wire form of facts."""

from __future__ import annotations

import uuid
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

import orjson
import pytest

from shared.kernel.events import Event, to_data
from shared.kernel.money import Money

ACCOUNT = uuid.UUID("018f3b1e-0000-7000-8000-000000000104")


@dataclass(frozen=True)
class Line:
    product: str
    quantity: Decimal


@dataclass(frozen=True)
class Ordered(Event):
    TYPE: ClassVar[str] = "crm.sales.order.submitted.v1"

    account_id: uuid.UUID
    total: Money
    lines: tuple[Line, ...]
    wanted_on: date | None
    at: datetime


ORDERED = Ordered(
    ACCOUNT,
    Money.of("12.5", "EUR"),
    (Line("pump", Decimal("1E+1")), Line("hose", Decimal("0.50"))),
    None,
    datetime(2026, 3, 2, 10, 0, 0, 120_000, tzinfo=timezone(timedelta(hours=1))),
)


def test_an_event_becomes_the_data_of_its_message() -> None:
    assert ORDERED.to_data() == {
        "account_id": "018f3b1e-0000-7000-8000-000000000104",
        "total": {"amount": "12.50", "currency": "EUR"},
        "lines": [{"product": "pump", "quantity": "10"}, {"product": "hose", "quantity": "0.50"}],
        "wanted_on": None,
        "at": "2026-03-02T09:00:00.120000Z",
    }


def test_the_type_is_no_member_of_the_data() -> None:
    assert "TYPE" not in ORDERED.to_data()


def test_the_data_is_json() -> None:
    assert orjson.loads(orjson.dumps(ORDERED.to_data())) == ORDERED.to_data()


def test_a_fact_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ORDERED.wanted_on = date(2026, 1, 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (True, True),
        (3, 3),
        (Decimal("-0.10"), "-0.10"),
        (date(2026, 2, 28), "2026-02-28"),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "2026-03-02T09:00:00Z"),
        ({ACCOUNT: [Money.of(1, "JPY")]}, {str(ACCOUNT): [{"amount": "1", "currency": "JPY"}]}),
    ],
)
def test_a_value_has_one_wire_form(value: Any, data: Any) -> None:
    assert to_data(value) == data


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}, object(), Line])
def test_what_has_no_exact_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="wire form"):
        to_data(value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_data(datetime(2026, 3, 2, 9))  # noqa: DTZ001 - the very thing that is refused
