"""The figures: rounding lines, hashes, code tables, the demo ERP's own reckoning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.erp.canonical_order import Translations, UnmappedCode, order_hash, split_net, translate_order
from services.erp.demo_erp.reckoning import gross_of, reckon, tax_rate
from services.erp.erp_document import content_hash, plain
from shared.kernel.money import round_minor
from tests.erp.conftest import an_order, order_line


@dataclass(frozen=True)
class Line:
    line_id: str
    quantity: Decimal
    unit_price: Decimal = Decimal("0.3333")
    is_rounding: bool = False
    sku: str = "BOLT"
    unit: str = "pcs"
    tax_code: str = "VAT-19"


@pytest.mark.parametrize(
    ("net", "quantity", "unit", "rest"),
    [
        ("20559.38", "24", "856.6408", "0.00"),
        ("1000.01", "3000", "0.3333", "0.11"),
        ("10.00", "3", "3.3333", "0.00"),
        ("0.00", "5", "0.0000", "0.00"),
        ("100.00", "0.001", "100000.0000", "0.00"),
        ("7.00", "0", "0", "7.00"),
    ],
)
def test_a_unit_price_and_its_rest_make_the_net(net: str, quantity: str, unit: str, rest: str) -> None:
    assert split_net(Decimal(net), Decimal(quantity), "EUR", 4) == (Decimal(unit), Decimal(rest))


@given(
    net=st.decimals(0, 10**9, places=2),
    quantity=st.decimals("0.001", 10**6, places=3),
    digits=st.integers(0, 6),
)
def test_nothing_of_a_net_is_lost(net: Decimal, quantity: Decimal, digits: int) -> None:
    unit, rest = split_net(net, quantity, "EUR", digits)
    assert round_minor(quantity * unit, "EUR") + rest == net
    assert -unit.as_tuple().exponent <= digits  # type: ignore[operator]


@pytest.mark.parametrize(
    ("given_", "shown"), [("24.000", "24"), ("0.50", "0.5"), ("100", "100"), ("0.000", "0")]
)
def test_quantities_are_written_plainly(given_: str, shown: str) -> None:
    assert plain(Decimal(given_)) == shown


def test_the_hash_of_a_document_is_that_of_its_rfc_8785_form() -> None:
    one, two = Line("a", Decimal("24.000")), Line("b", Decimal("0.5"))
    expected = "4af120b3def9f9ef53dbe0ba8bb8c19d240f25806ec86ada82418f79c9b4edcc"
    assert content_hash("o-1", "EUR", [two, one]) == content_hash("o-1", "EUR", [one, two])
    assert content_hash("o-1", "EUR", [one, two]) == content_hash("o-1", "EUR", [Line("a", Decimal(24)), two])
    assert content_hash("o-1", "EUR", [one]) == expected


@pytest.mark.parametrize(
    "other",
    [
        Line("a", Decimal(23)),
        Line("a", Decimal(24), unit_price=Decimal("0.3334")),
        Line("a", Decimal(24), sku="NUT"),
        Line("a", Decimal(24), unit="kg"),
        Line("a", Decimal(24), tax_code="VAT-7"),
        Line("a", Decimal(24), is_rounding=True),
        Line("c", Decimal(24)),
    ],
)
def test_any_difference_that_matters_makes_another_hash(other: Line) -> None:
    assert content_hash("o-1", "EUR", [other]) != content_hash("o-1", "EUR", [Line("a", Decimal(24))])


def test_the_hash_of_an_order_tells_a_repeat_from_a_correction() -> None:
    order = an_order()
    assert order_hash(dict(reversed(order.items()))) == order_hash(order)
    assert order_hash({**order, "requested_on": "2026-04-01"}) != order_hash(order)


def tables(**changes: Any) -> Translations:
    usual: dict[str, tuple[int, bool, list[dict[str, Any]]]] = {
        "tax": (
            3,
            False,
            [_entry("S19", "VAT-16", valid_to="2026-06-30"), _entry("S19", "VAT-19", "2026-07-01")],
        ),
        "unit": (1, False, [_entry("C62", "pcs")]),
        "currency": (1, True, []),
        "country": (1, True, [_entry("DE", "GER")]),
        "sku": (2, True, []),
    }
    return Translations.on(changes.pop("day", date(2026, 7, 1)), usual | changes)


def _entry(
    ours: str, theirs: str, valid_from: str | None = None, valid_to: str | None = None
) -> dict[str, Any]:
    return {"ours": ours, "theirs": theirs, "valid_from": valid_from, "valid_to": valid_to}


def test_codes_are_translated_as_they_hold_on_the_day() -> None:
    assert tables().theirs("tax", "S19") == "VAT-19"
    assert tables(day=date(2026, 6, 30)).theirs("tax", "S19") == "VAT-16"
    assert tables().theirs("sku", "ANY") == "ANY"
    assert tables().version == 8
    with pytest.raises(UnmappedCode, match="'S7'"):
        tables().theirs("tax", "S7")
    with pytest.raises(UnmappedCode):
        tables(unit=(1, False, [_entry("C62", "pcs", "2026-07-02")])).theirs("unit", "C62")


def test_an_order_is_translated_with_its_rounding_lines() -> None:
    order = an_order(order_line("BOLT", "3000", "1000.01"), order_line("NUT", "2.000", "5.00"))
    sent = translate_order(order, tables(), 4)
    bolt, rounding, nut = sent.lines
    assert (bolt.quantity, bolt.unit_price, bolt.unit, bolt.tax_code) == (
        3000,
        Decimal("0.3333"),
        "pcs",
        "VAT-19",
    )
    assert (rounding.line_id, rounding.is_rounding, rounding.quantity) == (bolt.line_id, True, 1)
    assert (rounding.unit_price, rounding.tax_code, rounding.sku) == (Decimal("0.11"), "VAT-19", "ROUNDING")
    assert (nut.is_rounding, nut.unit_price) == (False, Decimal("2.5000"))
    assert (sent.bill_to["country"], sent.currency, sent.reference) == ("GER", "EUR", order["order_id"])
    assert sent.content_hash == content_hash(order["order_id"], "EUR", sent.lines)


def _priced(net: str, quantity: str = "1", code: str = "VAT-19", **more: Any) -> dict[str, Any]:
    return {
        "line_id": net,
        "is_rounding": False,
        "quantity": quantity,
        "unit_price": net,
        "tax_code": code,
        **more,
    }


def test_tax_is_rounded_once_per_rate_or_wrongly_per_line() -> None:
    lines = [_priced("2.45")] * 3
    assert reckon(lines, "EUR") == (Decimal("7.35"), Decimal("1.40"), Decimal("8.75"))
    assert reckon(lines, "EUR", per_line=True) == (Decimal("7.35"), Decimal("1.41"), Decimal("8.76"))
    mixed = [_priced("100.00"), _priced("100.00", code="VAT-7"), _priced("100.00", code="VAT-0")]
    assert reckon(mixed, "EUR") == (Decimal("300.00"), Decimal("26.00"), Decimal("326.00"))


def test_the_parts_of_an_order_add_up_to_the_whole() -> None:
    rounding = _priced("0.11", is_rounding=True) | {"line_id": "0.3333"}
    lines = [_priced("0.3333", "3000"), rounding]
    assert gross_of(lines, {"0.3333": Decimal(1000)}, "EUR") == Decimal("396.63")
    assert gross_of(lines, {"0.3333": Decimal(3000)}, "EUR") == reckon(lines, "EUR")[2] == Decimal("1190.01")
    assert gross_of(lines, {}, "EUR") == 0


@pytest.mark.parametrize("code", ["S19", "VAT", "VAT-", "VAT-x", "GST-5", "VAT-1.2.3"])
def test_other_tax_codes_are_unknown_to_the_demo_erp(code: str) -> None:
    with pytest.raises(ValueError, match="no tax code"):
        tax_rate(code)


def test_a_tax_code_names_its_rate() -> None:
    assert (tax_rate("VAT-5.5"), tax_rate("VAT-0")) == (Decimal("5.5"), 0)
