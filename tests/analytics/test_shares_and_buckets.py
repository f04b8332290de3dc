"""Amounts by product, and calendar buckets."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.facts.opportunities import shares
from services.analytics.kpis.buckets import GRAINS, buckets
from services.analytics.kpis.errors import TooManyPoints
from shared.kernel.money import Money
from tests.analytics.world import line


def test_an_amount_is_shared_out_by_the_lines_net() -> None:
    lines = [line("a", "80.00"), line("b", "40.00"), line("a", "10.00")]
    products, (amounts, weighted, none) = shares(
        lines, (Money.of("100", "EUR"), Money.of("0.05", "EUR"), None)
    )
    # 90 : 40 of 100.00 and of 0.05
    assert products == ["a", "b"]
    assert amounts == ["69.23", "30.77"]
    assert weighted == ["0.03", "0.02"]
    assert none == []


def test_lines_without_a_value_have_equal_shares() -> None:
    assert shares([line("a", "0.00"), line("b", "0.00")], (Money.of("0.03", "EUR"),)) == (
        ["a", "b"],
        [["0.02", "0.01"]],
    )
    assert shares([], (Money.of("7", "EUR"),)) == ([], [[]])


@given(
    nets=st.lists(st.integers(0, 10**7), min_size=1, max_size=6),
    amount=st.decimals("0", "99999999", places=2),
)
def test_shares_add_up_exactly(nets: list[int], amount: Decimal) -> None:
    lines = [line(f"p{n}", f"{net}.00") for n, net in enumerate(nets)]
    products, (parts,) = shares(lines, (Money.of(amount, "EUR"),))
    assert sum(map(Decimal, parts)) == amount
    assert len(products) == len(nets)


def test_buckets_are_cut_off_at_both_ends() -> None:
    found = buckets(date(2025, 12, 30), date(2026, 2, 3), "month")
    assert [(b.label, b.key, b.start, b.end) for b in found] == [
        ("2025-12", date(2025, 12, 1), date(2025, 12, 30), date(2026, 1, 1)),
        ("2026-01", date(2026, 1, 1), date(2026, 1, 1), date(2026, 2, 1)),
        ("2026-02", date(2026, 2, 1), date(2026, 2, 1), date(2026, 2, 3)),
    ]


@pytest.mark.parametrize(
    ("grain", "labels"),
    [
        ("day", ["2026-12-31", "2027-01-01"]),
        # ISO 8601: 1 January 2027 is a Friday of week 53 of 2026.
        ("week", ["2026-W53"]),
        ("month", ["2026-12", "2027-01"]),
        ("quarter", ["2026-Q4", "2027-Q1"]),
        ("year", ["2026", "2027"]),
    ],
)
def test_buckets_are_named_for_their_period(grain: str, labels: list[str]) -> None:
    assert [b.label for b in buckets(date(2026, 12, 31), date(2027, 1, 2), grain)] == labels


@given(
    start=st.dates(date(1900, 1, 1), date(2900, 1, 1)),
    length=st.integers(1, 4_000),
    grain=st.sampled_from(GRAINS),
)
def test_buckets_cover_the_time_once(start: date, length: int, grain: str) -> None:
    end = start + timedelta(days=length)
    found = buckets(start, end, grain)
    assert found[0].start == start
    assert found[-1].end == end
    assert all(one.end == following.start for one, following in pairwise(found))
    assert len({bucket.label for bucket in found}) == len(found)


def test_a_series_has_at_most_5000_points() -> None:
    assert len(buckets(date(2000, 1, 1), date(2013, 9, 9), "day")) == 5000
    with pytest.raises(TooManyPoints) as refused:
        buckets(date(2000, 1, 1), date(2013, 9, 11), "day")
    assert refused.value.extra["errors"] == [
        {"pointer": "/grain", "detail": "At most 5000 points. Ask by week."}
    ]
