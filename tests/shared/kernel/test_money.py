"""Amounts, their one rounding, and splitting without losing a cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.money import MINOR_UNITS, CurrencyMismatch, Money, allocate, minor_units, round_minor


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("2.675", "EUR", "2.68"),
        ("2.665", "EUR", "2.67"),
        ("2.6649999999", "EUR", "2.66"),
        ("-2.675", "EUR", "-2.68"),
        ("0.5", "JPY", "1"),
        ("-0.5", "JPY", "-1"),
        ("1.0005", "KWD", "1.001"),
        ("1E+2", "JPY", "100"),
        ("99999999999999999999.995", "EUR", "100000000000000000000.00"),
    ],
)
def test_a_tie_is_rounded_away_from_zero_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert str(round_minor(Decimal(amount), currency)) == rounded


def test_nothing_has_no_sign() -> None:
    assert str(round_minor(Decimal("-0.004"), "EUR")) == "0.00"
    assert (Money.of("-1", "EUR") + Money.of("1", "EUR")).to_data() == {"amount": "0.00", "currency": "EUR"}


@given(st.decimals(min_value="-1e15", max_value="1e15", places=6), st.sampled_from(sorted(MINOR_UNITS)))
def test_rounding_moves_by_half_a_unit_at_most_and_is_done_once(amount: Decimal, currency: str) -> None:
    rounded = round_minor(amount, currency)
    half_a_unit = Decimal(5).scaleb(-minor_units(currency) - 1)
    assert abs(rounded - amount) <= half_a_unit
    assert round_minor(rounded, currency) == rounded
    assert round_minor(-amount, currency) == -rounded


@pytest.mark.parametrize(
    ("currency", "decimals"), [("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("CHF", 2)]
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert minor_units(currency) == decimals


@pytest.mark.parametrize("code", ["eur", "XXX", "", "EURO"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money.of(1, code)


@pytest.mark.parametrize(
    "amount", [Decimal("1.001"), Decimal("NaN"), Decimal("Infinity"), Decimal("1E+40"), 1, 1.0, "1.00"]
)
def test_money_is_exact_or_refused(amount: Decimal) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals"):
        Money(amount, "EUR")


def test_a_float_is_no_figure_to_make_money_of() -> None:
    with pytest.raises(ValueError, match="float"):
        Money.of(0.1, "EUR")  # type: ignore[arg-type]


def test_an_amount_is_kept_with_its_currencys_decimals() -> None:
    assert Money(Decimal("1250"), "EUR").to_data() == {"amount": "1250.00", "currency": "EUR"}
    assert Money.of("1250.4", "JPY").to_data() == {"amount": "1250", "currency": "JPY"}
    assert Money.of(7, "BHD").to_data() == {"amount": "7.000", "currency": "BHD"}


def test_sums_and_differences_are_exact() -> None:
    assert Money.of("0.10", "EUR") + Money.of("0.20", "EUR") == Money.of("0.30", "EUR")
    assert Money.of("0.10", "EUR") - Money.of("0.20", "EUR") == Money.of("-0.10", "EUR")


def test_amounts_of_one_currency_are_ordered() -> None:
    small, large = Money.of("9.99", "EUR"), Money.of("10.00", "EUR")
    assert small < large
    assert large > small
    assert small <= Money.of("9.99", "EUR")
    assert not large <= small


def test_currencies_do_not_mix() -> None:
    euro, yen = Money.of(1, "EUR"), Money.of(1, "JPY")
    for mixing in (lambda: euro + yen, lambda: euro - yen, lambda: euro < yen, lambda: euro <= yen):
        with pytest.raises(CurrencyMismatch, match="EUR and JPY"):
            mixing()
    assert euro != yen


def test_a_product_is_rounded_once_at_the_end() -> None:
    assert Money.of("19.99", "EUR").times(3) == Money.of("59.97", "EUR")
    assert Money.of("19.99", "EUR").times(Decimal("0.19")) == Money.of("3.80", "EUR")
    assert Money.of("0.50", "EUR").times(Decimal("0.01")) == Money.of("0.01", "EUR")


@pytest.mark.parametrize(
    "data",
    [
        {"amount": "1.005", "currency": "EUR"},
        {"amount": "ten", "currency": "EUR"},
        {"amount": "NaN", "currency": "EUR"},
        {"amount": 1.5, "currency": "EUR"},
        {"amount": None, "currency": "EUR"},
        {"amount": "1.00"},
        {"currency": "EUR"},
        {},
    ],
)
def test_data_that_is_no_exact_money_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"money|amount|decimals"):
        Money.from_data(data)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(MINOR_UNITS)))
def test_the_wire_form_comes_back_as_the_same_money(units: int, currency: str) -> None:
    money = Money(Decimal(units).scaleb(-minor_units(currency)), currency)
    assert Money.from_data(money.to_data()) == money


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        ("10.00", [1, 1, 1], ["3.34", "3.33", "3.33"]),
        ("-10.00", [1, 1, 1], ["-3.34", "-3.33", "-3.33"]),
        ("100.00", [Decimal("0.5"), Decimal("0.3"), Decimal("0.2")], ["50.00", "30.00", "20.00"]),
        ("0.05", [3, 7], ["0.02", "0.03"]),
        ("0.01", [1, 2], ["0.00", "0.01"]),
        ("7.00", [0, 1, 0], ["0.00", "7.00", "0.00"]),
        ("0.00", [1, 2], ["0.00", "0.00"]),
    ],
)
def test_a_total_is_split_by_largest_remainder(
    total: str, weights: list[Decimal | int], shares: list[str]
) -> None:
    assert [str(share.amount) for share in allocate(Money.of(total, "EUR"), weights)] == shares


_WEIGHTS = st.lists(st.decimals(min_value=0, max_value=10**9, places=9), min_size=1, max_size=12).filter(
    lambda weights: sum(weights) > 0
)
_UNITS = st.integers(-(10**17), 10**17)


@given(_UNITS, _WEIGHTS, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_shares_add_up_and_are_within_a_unit_of_the_exact_share(
    units: int, weights: list[Decimal], currency: str
) -> None:
    decimals = minor_units(currency)
    shares = allocate(Money(Decimal(units).scaleb(-decimals), currency), weights)
    in_units = [int(share.amount.scaleb(decimals)) for share in shares]
    assert sum(in_units) == units
    scaled = [int(weight.scaleb(9)) for weight in weights]
    for share, weight in zip(in_units, scaled, strict=True):
        assert abs(share * sum(scaled) - units * weight) < sum(scaled)


@given(_UNITS, _WEIGHTS)
def test_a_credit_takes_back_what_was_charged(units: int, weights: list[Decimal]) -> None:
    total = Money(Decimal(units).scaleb(-2), "EUR")
    charged = allocate(total, weights)
    assert allocate(Money.zero("EUR") - total, weights) == [Money.zero("EUR") - share for share in charged]


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1], [-1]])
def test_weights_that_say_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(Money.of(1, "EUR"), weights)
