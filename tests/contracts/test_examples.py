"""The examples: one at least for each type, valid, and good enough to try a consumer on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.contracts.catalog import Catalog
from shared.kernel.money import Money, round_minor
from shared.messaging.transport import MAX_VALUE_BYTES
from tests.contracts.conftest import CONTRACTS


def test_every_type_has_an_example_and_every_example_fits(
    catalog: Catalog, event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    assert examples
    for data in examples.values():
        catalog.validator(event_type)(data)
        assert len(json.dumps(data)) < MAX_VALUE_BYTES


def test_examples_show_no_member_the_schema_does_not_know(
    catalog: Catalog, event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    known = set(catalog.schema(event_type)["properties"])
    for name, data in examples.items():
        assert set(data) <= known, name


def test_the_totals_of_example_documents_add_up(event_type: str, examples: dict[str, dict[str, Any]]) -> None:
    for name, data in examples.items():
        if "gross_total" not in data:
            continue
        net, tax, gross = (Money.from_data(data[part]) for part in ("net_total", "tax_total", "gross_total"))
        lines = [Money.from_data(line["net"]) for line in data["lines"]]
        assert sum(lines[1:], lines[0]) == net, name
        assert net + tax == gross, name


def test_a_unit_price_times_the_quantity_is_the_net_of_the_example_line(
    event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    for name, data in examples.items():
        for line in data.get("lines", []):
            if "unit_net" not in line:
                continue
            net = Money.from_data(line["net"])
            unit = Decimal(line["unit_net"]["amount"])
            assert round_minor(unit * Decimal(line["quantity"]), net.currency) == net.amount, name


def test_what_the_erp_answers_for_a_line_adds_up_to_what_was_ordered(
    event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    if event_type not in {
        "crm.erp.order.accepted.v1",
        "crm.erp.order.partially_accepted.v1",
        "crm.erp.order.rejected.v1",
    }:
        return
    for data in examples.values():
        for line in data["lines"]:
            answered = sum(Decimal(line[part]) for part in ("accepted", "backordered", "rejected"))
            assert answered == Decimal(line["ordered"])


def test_blanking_a_fact_leaves_no_more_than_the_erasure_does(
    catalog: Catalog, event_type: str, examples: dict[str, dict[str, Any]]
) -> None:
    """What the aggregate's `erase` empties is marked, and so goes from every other fact about it."""
    erasure = ".".join([*event_type.split(".")[:3], "erased.v1"])
    if erasure not in catalog.types:
        return
    schema = catalog.event_type(erasure).schema.removesuffix(".json")
    erased = json.loads((CONTRACTS / "examples" / schema / "typical.json").read_bytes())
    for data in examples.values():
        blanked = catalog.blanked(event_type, data)
        assert catalog.blanked(event_type, blanked) == blanked
        assert _filled(blanked) - {"call"} <= _filled({**blanked, **erased})
        assert not [word for word in ("Ines", "Brandt", "+49", "@") if word in json.dumps(blanked)]


def _filled(data: Mapping[str, Any]) -> set[str]:
    """The members that say something, those of objects inside as `outer.inner`."""
    found = set()
    for name, value in data.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}" for inner in _filled(value)}
        elif value not in (None, [], ""):
            found.add(name)
    return found
