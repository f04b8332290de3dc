"""The price waterfall of a document: list price, discounts, line nets, header discount, tax.

Unit prices keep 6 decimals, rounded half up after each step; money rounds half up to the currency's minor unit.
A header discount is spread over the lines by largest remainder (weights: nets; ties: earlier line), tax is reckoned
once per rate on the sum of the nets and spread likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shared.kernel.money import Money, allocate

__all__ = ["PricedLine", "PricedTotals", "UnpricedLine", "basis_points", "price_document"]

UNIT_QUANTUM = Decimal("0.000001")
BP = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class UnpricedLine:
    """What is to be priced. `list_unit` and `cost_unit` per unit; `discount_bp` off the list price."""

    list_unit: Decimal
    quantity: Decimal
    discount_bp: int
    tax_code: str
    cost_unit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PricedLine:
    """`unit_net` after the line's own discount; `net` also carries the line's share of the header discount."""

    unit_net: Decimal
    net: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class PricedTotals:
    """Totals of a document. `discount_bp` = 1 - net / list value; `margin_bp` = (net - cost) / net, None at net 0 or
    where a cost is unknown."""

    lines: tuple[PricedLine, ...]
    net: Money
    tax: Money
    gross: Money
    discount_bp: int
    margin_bp: int | None


def basis_points(part: Decimal, whole: Decimal) -> int:
    """`part / whole` in hundredths of a percent, rounded half up; 0 when `whole` is 0."""
    return 0 if whole == 0 else int((part / whole * BP).quantize(Decimal(1), ROUND_HALF_UP))


def price_document(
    lines: Sequence[UnpricedLine], currency: str, tax_rates_bp: Mapping[str, int], header_discount_bp: int = 0
) -> PricedTotals:
    """Price a document. Raises KeyError for a tax code without a rate."""
    units = [_round_unit(line.list_unit * (BP - line.discount_bp) / BP) for line in lines]
    nets = [Money.of(unit * line.quantity, currency) for unit, line in zip(units, lines, strict=True)]
    subtotal = sum(nets, Money.zero(currency))
    if header_discount_bp and subtotal.amount:
        discount = subtotal.times(Decimal(header_discount_bp) / BP)
        shares = allocate(discount, [net.amount for net in nets])
        nets = [net - share for net, share in zip(nets, shares, strict=True)]
    taxes = _taxes(lines, nets, currency, tax_rates_bp)
    net, tax = sum(nets, Money.zero(currency)), sum(taxes, Money.zero(currency))
    list_value = sum((line.list_unit * line.quantity for line in lines), Decimal(0))
    costs = [line.cost_unit and line.cost_unit * line.quantity for line in lines]
    known = net.amount and None not in costs
    cost = sum((c for c in costs if c is not None), Decimal(0))
    return PricedTotals(
        tuple(PricedLine(*priced) for priced in zip(units, nets, taxes, strict=True)),
        net,
        tax,
        net + tax,
        basis_points(list_value - net.amount, list_value),
        basis_points(net.amount - cost, net.amount) if known else None,
    )


def _round_unit(amount: Decimal) -> Decimal:
    return amount.quantize(UNIT_QUANTUM, ROUND_HALF_UP)


def _taxes(
    lines: Sequence[UnpricedLine], nets: Sequence[Money], currency: str, rates_bp: Mapping[str, int]
) -> list[Money]:
    taxes = [Money.zero(currency)] * len(lines)
    for code in dict.fromkeys(line.tax_code for line in lines):
        places = [n for n, line in enumerate(lines) if line.tax_code == code]
        base = sum((nets[n] for n in places), Money.zero(currency))
        tax = base.times(Decimal(rates_bp[code]) / BP)
        if tax.amount:
            for n, share in zip(places, allocate(tax, [nets[n].amount for n in places]), strict=True):
                taxes[n] = share
    return taxes
