"""Prices, approvals, stages and likeness, with the figures of worked examples."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sales.matching import account_score, contact_score, fold_company, fold_person
from services.sales.pricing import UnpricedLine, basis_points, price_document
from services.sales.quotes.approvals import ApprovalRule, levels_needed
from services.sales.sales_policy import DEFAULT_STAGES, PipelinePlan
from shared.kernel.money import Money

RATES = {"standard": 1900, "reduced": 700}


def line(unit: str, quantity: str = "1", discount_bp: int = 0, cost: str | None = None) -> UnpricedLine:
    return UnpricedLine(
        Decimal(unit), Decimal(quantity), discount_bp, "standard", None if cost is None else Decimal(cost)
    )


def test_unit_prices_keep_six_decimals_and_a_header_discount_is_spread_by_largest_remainder() -> None:
    totals = price_document([line("929.615750", "24", 500), line("1980")], "EUR", RATES, 300)
    assert totals.lines[0].unit_net == Decimal("883.134963")
    assert [str(priced.net.amount) for priced in totals.lines] == ["20559.38", "1920.60"]
    assert str(totals.net.amount) == "22479.98"
    assert str(totals.tax.amount) == "4271.20"
    assert str(totals.gross.amount) == "26751.18"


def test_without_a_header_discount_a_line_is_its_unit_price_times_quantity() -> None:
    totals = price_document([line("929.615750", "24", 500)], "EUR", RATES)
    assert str(totals.net.amount) == "21195.24"


def test_tax_is_reckoned_once_a_rate() -> None:
    reduced = UnpricedLine(Decimal("4046.40"), Decimal(1), 0, "reduced")
    totals = price_document([line("0.05"), line("0.05"), reduced], "EUR", RATES)
    assert [str(priced.tax.amount) for priced in totals.lines] == ["0.01", "0.01", "283.25"]
    # 19 % of 0.09 is 0.02; rounded line by line it would be 0.03.
    totals = price_document([line("0.03"), line("0.03"), line("0.03")], "EUR", RATES)
    assert [str(priced.tax.amount) for priced in totals.lines] == ["0.01", "0.01", "0.00"]


def test_discount_and_margin_are_measured_on_the_whole_document() -> None:
    totals = price_document([line("1000", "2", 1000, cost="600"), line("0", cost="0")], "EUR", RATES)
    assert (totals.discount_bp, totals.margin_bp) == (1000, 3333)
    assert price_document([line("1000", cost=None)], "EUR", RATES).margin_bp is None
    assert price_document([line("0", cost="1")], "EUR", RATES).margin_bp is None
    assert price_document([], "EUR", RATES).discount_bp == 0


def test_basis_points_round_half_up() -> None:
    assert basis_points(Decimal("0.00005"), Decimal(1)) == 1
    assert basis_points(Decimal("0.000049"), Decimal(1)) == 0
    assert basis_points(Decimal(1), Decimal(0)) == 0


LINES = st.lists(
    st.builds(
        UnpricedLine,
        st.decimals(0, 10_000, places=6),
        st.decimals(0, 1000, places=3),
        st.integers(0, 10_000),
        st.sampled_from(sorted(RATES)),
    ),
    min_size=1,
    max_size=8,
)


@given(lines=LINES, header=st.integers(0, 10_000), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_no_minor_unit_is_lost(lines: list[UnpricedLine], header: int, currency: str) -> None:
    before = price_document(lines, currency, RATES)
    totals = price_document(lines, currency, RATES, header)
    assert totals.net == before.net - before.net.times(Decimal(header) / 10_000)
    assert sum((priced.net for priced in totals.lines), Money.zero(currency)) == totals.net
    for code in RATES:
        of_code = [p for p, unpriced in zip(totals.lines, lines, strict=True) if unpriced.tax_code == code]
        net = sum((priced.net for priced in of_code), Money.zero(currency))
        tax = sum((priced.tax for priced in of_code), Money.zero(currency))
        assert tax == net.times(Decimal(RATES[code]) / 10_000)
    assert totals.gross == totals.net + totals.tax


RULES = [ApprovalRule(2, min_discount_bp=2500), ApprovalRule(1, min_discount_bp=1500)]


@pytest.mark.parametrize(
    ("discount_bp", "margin_bp", "payment_days", "levels"),
    [(1499, 5000, 30, []), (1500, 5000, 30, [1]), (2500, 5000, 30, [1, 2]), (0, 999, 30, [3]),
     (0, 1000, 30, []), (0, None, 30, []), (0, 5000, 60, []), (2500, 0, 61, [1, 2, 3])],
)  # fmt: skip
def test_the_levels_of_all_matching_rules_have_to_approve(
    discount_bp: int, margin_bp: int | None, payment_days: int, levels: list[int]
) -> None:
    rules = [*RULES, ApprovalRule(3, below_margin_bp=1000), ApprovalRule(3, above_payment_days=60)]
    assert levels_needed(rules, discount_bp, margin_bp, payment_days) == levels


def test_every_bound_of_a_rule_has_to_hold() -> None:
    rule = ApprovalRule(1, min_discount_bp=1000, above_payment_days=30)
    assert levels_needed([rule], 1000, None, 31) == [1]
    assert levels_needed([rule], 1000, None, 30) == []
    assert levels_needed([rule], 999, None, 31) == []


def plan(**moves: list[str]) -> PipelinePlan:
    stages = [{**stage, "moves_to": moves.get(stage["key"], [])} for stage in DEFAULT_STAGES]
    return PipelinePlan.of(uuid.uuid4(), 1, "nothing", "win", stages)


def test_one_moves_to_the_next_stage_and_to_all_earlier_ones() -> None:
    assert plan().targets("initiation") == ["identification"]
    assert plan().targets("rfp_received") == [
        "initiation", "identification", "qualification", "quotation_sent",
    ]  # fmt: skip
    assert plan().targets("final") == [stage["key"] for stage in DEFAULT_STAGES[:-1]]


def test_a_stage_may_name_further_ones() -> None:
    assert plan(initiation=["final"]).targets("initiation") == ["identification", "final"]


def test_the_default_pipeline_has_these_chances() -> None:
    assert [stage.probability_bp for stage in plan().stages] == [500, 1500, 3000, 4500, 6500, 8500]
    assert plan().first.key == "initiation"
    assert plan().stage("won") is None


@pytest.mark.parametrize(
    ("name", "folded"),
    [("Acme Robotics, Inc.", "acme robotics"), ("ACME Robotix Ltd", "acme robotix"), ("GmbH", "gmbh"),
     ("Größe & Söhne AG", "grosse sohne"), ("東京電力", "dongjingdianli")],
)  # fmt: skip
def test_names_are_folded(name: str, folded: str) -> None:
    assert fold_company(name) == folded


def test_likeness_of_accounts_is_weighed() -> None:
    nothing = {"same_tax_id": False, "same_domain": False, "same_phone": False, "same_place": False}
    assert account_score(0.6875, **nothing | {"same_domain": True}) == Decimal("0.5594")
    assert account_score(1.0, **nothing) == Decimal("0.4500")
    assert account_score(0.0, **nothing | {"same_tax_id": True}) == 1
    assert account_score(1.0, same_tax_id=False, same_domain=True, same_phone=True, same_place=True) == 1


def test_likeness_of_contacts_is_weighed() -> None:
    assert contact_score(0.5, same_email=False, same_phone=True, same_account=True) == Decimal("0.7500")
    assert contact_score(0.0, same_email=True, same_phone=False, same_account=False) == 1
    assert fold_person("Inès", None) == "ines"
