"""Our canonical order as the ERP gets it: codes translated, unit prices at the ERP's digits, rounding lines.

The net of a line is binding. Where the rounded unit price times the quantity does not give it, a rounding line
with the rest and the same tax code follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import rfc8785

from services.erp.erp_document import content_hash
from shared.kernel.money import round_minor

__all__ = [
    "ROUNDING_SKU",
    "ErpOrder",
    "ErpOrderLine",
    "Translations",
    "UnmappedCode",
    "order_hash",
    "split_net",
    "translate_order",
]

ROUNDING_SKU = "ROUNDING"


class UnmappedCode(Exception):
    """A code of ours has no counterpart. `kind` names the table, `value` the code."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"The {kind} code {value!r} has no counterpart in the ERP.")
        self.kind = kind
        self.value = value


@dataclass(frozen=True, slots=True)
class _Table:
    codes: Mapping[str, str]
    keeps_unknown: bool


@dataclass(frozen=True)
class Translations:
    """The code tables as they hold on one day. `version` grows with every edit of any of them."""

    version: int
    tables: Mapping[str, _Table]

    @classmethod
    def on(cls, day: date, tables: Mapping[str, tuple[int, bool, list[dict[str, Any]]]]) -> Translations:
        """The tables on `day`. A table is its version, whether an unknown code stands for itself, and its entries
        `{ours, theirs, valid_from, valid_to}`; both days are inclusive and may be null."""
        return cls(
            sum(version for version, _, _ in tables.values()),
            {
                kind: _Table({e["ours"]: e["theirs"] for e in entries if _holds(e, day)}, keeps_unknown)
                for kind, (_, keeps_unknown, entries) in tables.items()
            },
        )

    def theirs(self, kind: str, value: str) -> str:
        """The ERP's code. Raises UnmappedCode."""
        table = self.tables.get(kind)
        if table is not None and value in table.codes:
            return table.codes[value]
        if table is not None and table.keeps_unknown:
            return value
        raise UnmappedCode(kind, value)


def _holds(entry: Mapping[str, Any], day: date) -> bool:
    return (entry["valid_from"] or "") <= day.isoformat() <= (entry["valid_to"] or "9999-12-31")


@dataclass(frozen=True, slots=True)
class ErpOrderLine:
    """A line as the ERP gets it; a rounding line names the line it belongs to."""

    line_id: str
    is_rounding: bool
    sku: str
    description: str
    kind: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    tax_code: str


@dataclass(frozen=True, slots=True)
class ErpOrder:
    """A whole order as the ERP gets it. `account`, `bill_to` and `ship_to` as the order fact has them."""

    reference: str
    number: str
    account: Mapping[str, Any]
    bill_to: Mapping[str, Any]
    ship_to: Mapping[str, Any]
    requested_on: str | None
    currency: str
    lines: tuple[ErpOrderLine, ...]

    @property
    def content_hash(self) -> str:
        """What a document of the ERP must have to be this order."""
        return content_hash(self.reference, self.currency, self.lines)


def order_hash(order: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the RFC 8785 form of an order in our terms: tells a repeat from a correction."""
    return hashlib.sha256(rfc8785.dumps(dict(order))).hexdigest()


def split_net(net: Decimal, quantity: Decimal, currency: str, price_digits: int) -> tuple[Decimal, Decimal]:
    """The unit price at `price_digits` decimals, rounded half up, and the rest that it leaves of `net`."""
    quantum = Decimal(1).scaleb(-price_digits)
    unit = (net / quantity).quantize(quantum, ROUND_HALF_UP) if quantity else Decimal(0)
    return unit, net - round_minor(quantity * unit, currency)


def translate_order(order: Mapping[str, Any], translations: Translations, price_digits: int) -> ErpOrder:
    """`order` (the members of the submitted fact) as the ERP gets it. Raises UnmappedCode for the first code that has
    no counterpart."""
    currency = order["currency"]
    lines: list[ErpOrderLine] = []
    for line in order["lines"]:
        quantity, net = Decimal(line["quantity"]), Decimal(line["net"]["amount"])
        unit_price, rest = split_net(net, quantity, currency, price_digits)
        tax_code = translations.theirs("tax", line["tax_code"])
        unit = translations.theirs("unit", line["unit"])
        sku = translations.theirs("sku", line["sku"])
        lines.append(
            ErpOrderLine(
                line["line_id"],
                False,
                sku,
                line["description"],
                line["kind"],
                unit,
                quantity,
                unit_price,
                tax_code,
            )
        )
        if rest:
            lines.append(
                ErpOrderLine(
                    line["line_id"],
                    True,
                    ROUNDING_SKU,
                    f"Rounding of {line['sku']}",
                    line["kind"],
                    unit,
                    Decimal(1),
                    rest,
                    tax_code,
                )
            )
    bill_to, ship_to = (
        {**address, "country": translations.theirs("country", address["country"])}
        for address in (order["bill_to"], order["ship_to"])
    )
    return ErpOrder(
        order["order_id"],
        order["number"],
        order["account"],
        bill_to,
        ship_to,
        order["requested_on"],
        translations.theirs("currency", currency),
        tuple(lines),
    )
