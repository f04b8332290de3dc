"""What the fields take, what they refuse, and how they write."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from shared.kernel.money import MINOR_UNITS, Money
from shared.web import fields
from shared.web.schema import Schema, field_errors


class Stage(enum.StrEnum):
    NEW = "new"
    WON = "won"


REFUSED = [
    (
        fields.Id(),
        ["", "1", 7, "{018f0000-0000-7000-8000-000000000001}", "018f00000000700080000000000000011111"],
    ),
    (
        fields.Timestamp(),
        ["2026-03-02", "2026-03-02T09:00:00", 7, "2026-13-02T09:00:00Z", "0001-01-01T00:00:00+14:00", "now"],
    ),
    (fields.Date(), ["02.03.2026", "20260302", "2026-3-2", "2026-02-30", 20260302, "2026-W10-1"]),
    (fields.Integer(), ["5", 5.0, True, 2**63, 1e9]),
    (fields.Integer(min=1, max=5), [0, 6]),
    (fields.Boolean(), ["true", 1, 0, "yes"]),
    (fields.Decimal(), [1.5, 1, "1e3", "NaN", "Infinity", "1,5", " 1", "1.1234567", "9" * 16, "١"]),
    (fields.Decimal(places=2, min=0, max=10), ["-0.01", "10.01", "1.001"]),
    (fields.Text(3), ["", "   ", "long", 7]),
    (fields.Enum("call", "email"), ["fax", "CALL", 1]),
    (fields.Enum(Stage), ["lost", "NEW"]),
    (fields.Sort("name", default="name"), ["-price", "+name", ""]),
    (
        fields.Email(),
        [
            "ada",
            "ada@",
            "@example.com",
            "a b@example.com",
            "ada@example",
            "ada@ex..com",
            f"{'x' * 65}@example.com",
        ],
    ),
    (fields.Phone(), ["030 1234", "+0301234567", "+49", "+49abc", "+4930123456789012345"]),
    (
        fields.MoneyField(),
        [
            "12.50 EUR",
            12.5,
            {"amount": "12.50"},
            {"amount": "12.50", "currency": "EUR", "extra": 1},
            {"amount": 12.5, "currency": "EUR"},
            {"amount": "12.505", "currency": "EUR"},
            {"amount": "1.0", "currency": "JPY"},
            {"amount": "1e3", "currency": "EUR"},
            {"amount": "NaN", "currency": "EUR"},
            {"amount": "-Infinity", "currency": "EUR"},
            {"amount": "1.00", "currency": "eur"},
            {"amount": "1.00", "currency": "ZZZ"},
            {"amount": "1.00", "currency": None},
            {"amount": "1" * 16, "currency": "EUR"},
        ],
    ),
    (fields.MoneyField(min=0), [{"amount": "-0.01", "currency": "EUR"}]),
]


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in REFUSED for value in values]
)
def test_a_wrong_value_is_refused(field: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
TAKEN = [
    (fields.Id(), str(ME).upper(), ME),
    (fields.Timestamp(), "2026-03-02T10:00:00+01:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    (fields.Timestamp(), "2026-03-02T09:00:00.5z", datetime(2026, 3, 2, 9, 0, 0, 500_000, tzinfo=UTC)),
    (fields.Date(), "2026-03-02", date(2026, 3, 2)),
    (fields.Integer(), -(2**63), -(2**63)),
    (fields.Integer(min=1), 1, 1),
    (fields.Boolean(), False, False),
    (fields.Decimal(places=3), "-12.345", Decimal("-12.345")),
    (fields.Text(3), "  abc ", "abc"),
    (fields.Text(3, min=0), "  ", ""),
    (fields.Enum("call", "email"), "email", "email"),
    (fields.Enum(Stage), "won", Stage.WON),
    (fields.Sort("name", default="name"), "-name", "-name"),
    (fields.Email(), " Ada.Lovelace+crm@Example.co.uk ", "Ada.Lovelace+crm@Example.co.uk"),
    (fields.Phone(), "+49 (30) 123-456.7", "+49301234567"),
    (fields.MoneyField(), {"amount": "12.5", "currency": "EUR"}, Money(Decimal("12.50"), "EUR")),
    (fields.MoneyField(), {"amount": "1250", "currency": "JPY"}, Money(Decimal(1250), "JPY")),
    (fields.MoneyField(), {"amount": "1.234", "currency": "KWD"}, Money(Decimal("1.234"), "KWD")),
]


@pytest.mark.parametrize(("field", "value", "loaded"), TAKEN)
def test_a_right_value_is_taken(field: Any, value: Any, loaded: Any) -> None:
    result = field.deserialize(value)
    assert (result, type(result)) == (loaded, type(loaded))


def test_values_are_written_in_wire_form() -> None:
    class Row(Schema):
        id = fields.Id()
        at = fields.Timestamp()
        rate = fields.Decimal()
        price = fields.MoneyField()
        stage = fields.Enum(Stage)

    berlin = timezone(timedelta(hours=1))
    row = {
        "id": ME,
        "at": datetime(2026, 3, 2, 10, 0, 0, 250_000, tzinfo=berlin),
        "rate": Decimal("1E+3"),
        "price": Money.of("3", "KWD"),
        "stage": Stage.NEW,
    }
    assert Row().dump(row) == {
        "id": str(ME),
        "at": "2026-03-02T09:00:00.250000Z",
        "rate": "1000",
        "price": {"amount": "3.000", "currency": "KWD"},
        "stage": "new",
    }
    assert set(Row().dump(dict.fromkeys(row)).values()) == {None}


@given(st.decimals(min_value="-999999999999", max_value="999999999999", places=2))
def test_money_survives_the_wire(amount: Decimal) -> None:
    field = fields.MoneyField()
    money = Money(amount, "EUR")
    assert field.deserialize(money.to_data()) == money


@given(st.text(), st.sampled_from(sorted(MINOR_UNITS)))
def test_no_text_crashes_money(amount: str, currency: str) -> None:
    try:
        loaded = fields.MoneyField().deserialize({"amount": amount, "currency": currency})
    except ValidationError:
        return
    assert loaded.amount == Decimal(amount)


def test_pointers_escape_what_rfc_6901_says() -> None:
    messages = {"a/b": {0: {"c~d": ["wrong"]}}, "_schema": ["odd"]}
    assert list(field_errors(messages)) == [
        {"pointer": "/a~1b/0/c~0d", "detail": "wrong"},
        {"pointer": "", "detail": "odd"},
    ]
