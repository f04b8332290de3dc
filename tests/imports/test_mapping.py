"""The algorithm that turns a stranger's rows into ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.imports.mapping import Table, fold, map_row, slug

PRODUCTS = Table([("GTX Pro", {"sku": "GTX Pro", "price": "4821"}), ("MG Special", {"sku": "MG Special"})])


def mapped(row, **fields):
    return map_row(row, fields, {"products": PRODUCTS}, "EUR")


@pytest.mark.parametrize("spelling", ["GTXPro", "gtx pro", "GTX-PRO", " GTX  Pro ", "Gtx Pró"])
def test_a_look_up_forgives_spelling(spelling):
    row = mapped({"p": spelling}, sku={"column": "p", "look_up": {"table": "products", "gives": "sku"}})
    assert (row.values, row.errors, row.warnings) == ({"sku": "GTX Pro"}, [], [])


@pytest.mark.parametrize(
    ("missing", "errors", "warnings"),
    [("refuse", 1, 0), ("warn", 0, 1), ("leave_empty", 0, 0)],
)
def test_what_is_not_found_is_refused_warned_of_or_left_empty(missing, errors, warnings):
    look_up = {"table": "products", "gives": "sku", "missing": missing}
    row = mapped({"p": "GTK 500"}, sku={"column": "p", "look_up": look_up})
    assert (len(row.errors), len(row.warnings), row.values) == (errors, warnings, {})


def test_values_are_replaced_before_anything_else():
    rule = {"column": "sector", "values": {"technolgy": "technology"}}
    assert mapped({"sector": "technolgy"}, industry=rule).values == {"industry": "technology"}
    assert mapped({"sector": "medical"}, industry=rule).values == {"industry": "medical"}


def test_an_empty_cell_takes_the_default_or_the_other_rule():
    look_up = {"table": "products", "gives": "price"}
    rule = {
        "column": "value",
        "type": "money",
        "else": {"column": "p", "type": "money", "look_up": look_up},
    }
    assert mapped({"value": "", "p": "GTXPro"}, amount=rule).values == {
        "amount": {"amount": "4821.00", "currency": "EUR"}
    }
    assert mapped({"value": "0", "p": "GTXPro"}, amount=rule).values["amount"]["amount"] == "0.00"
    assert mapped({"k": ""}, kind={"column": "k", "default": "customer"}).values == {"kind": "customer"}
    assert mapped({"k": ""}, kind={"column": "k"}).values == {}


@pytest.mark.parametrize(
    ("cell", "rule", "value"),
    [
        ("3/1/2017", {"type": "date", "date_format": "%m/%d/%Y"}, "2017-03-01"),
        ("1100.04", {"type": "money", "scale": 1000000}, {"amount": "1100040000.00", "currency": "EUR"}),
        ("550", {"type": "price"}, {"EUR": "550"}),
        ("2822", {"type": "integer"}, 2822),
        ("Dustin Brinkmann", {"type": "slug"}, "dustin-brinkmann"),
    ],
)
def test_cells_become_values_of_their_type(cell, rule, value):
    assert mapped({"c": cell}, v={"column": "c", **rule}).values == {"v": value}


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("31/31/2017", {"type": "date"}),
        ("many", {"type": "integer"}),
        ("x", {"type": "money"}),
        ("", {"column": "no"}),
    ],
)
def test_a_wrong_cell_names_its_field(cell, rule):
    row = mapped({"c": cell}, amount={"column": "c", **rule})
    assert len(row.errors) == 1
    assert row.errors[0].startswith("amount: ")


def test_two_records_that_differ_in_spelling_only_are_refused():
    with pytest.raises(ValueError, match="twice"):
        Table([("GTX Pro", {"a": 1}), ("GTXPro", {"a": 2})])


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)
    assert slug(slug(text)) == slug(text)
