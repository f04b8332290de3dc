"""How the demo ERP reckons: line nets from rounded unit prices, tax once per code on the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.kernel.money import round_minor

__all__ = ["Totals", "gross_of", "reckon", "tax_rate"]

Totals = tuple[Decimal, Decimal, Decimal]


def tax_rate(code: str) -> Decimal:
    """The rate in percent that a code such as `VAT-19` or `VAT-5.5` names. Raises ValueError for any other."""
    kind, _, rate = code.partition("-")
    if kind != "VAT" or not rate.replace(".", "", 1).isdigit():
        raise ValueError(f"{code} is no tax code of this ERP")
    return Decimal(rate)


def reckon(lines: Sequence[Mapping[str, Any]], currency: str, *, per_line: bool = False) -> Totals:
    """Net, tax and gross of `lines` (`quantity`, `unit_price`, `tax_code`). `per_line`: round tax on every line, as
    an ERP that is set up wrongly does."""
    nets = [
        (line["tax_code"], round_minor(Decimal(line["quantity"]) * Decimal(line["unit_price"]), currency))
        for line in lines
    ]
    if not per_line:
        codes = dict.fromkeys(code for code, _ in nets)
        nets_taxed = [(code, sum((net for c, net in nets if c == code), Decimal(0))) for code in codes]
    else:
        nets_taxed = nets
    net = sum((amount for _, amount in nets), Decimal(0))
    tax = sum(
        (round_minor(amount * tax_rate(code) / 100, currency) for code, amount in nets_taxed), Decimal(0)
    )
    return round_minor(net, currency), round_minor(tax, currency), round_minor(net + tax, currency)


def gross_of(lines: Sequence[Mapping[str, Any]], quantities: Mapping[str, Decimal], currency: str) -> Decimal:
    """The gross of a part of `lines`: `quantities` by line id. A rounding line goes with the whole of its line."""
    part = []
    for line in lines:
        taken = quantities.get(line["line_id"], Decimal(0))
        if line["is_rounding"]:
            whole = next(o for o in lines if o["line_id"] == line["line_id"] and not o["is_rounding"])
            if taken == Decimal(whole["quantity"]):
                part.append(line)
        elif taken:
            part.append({**line, "quantity": str(taken)})
    return reckon(part, currency)[2]
