"""The schemas: valid, of one vocabulary, and read by our validator exactly as the standard says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from shared.contracts.catalog import Catalog, ContractViolation
from shared.contracts.dereference import dereferenced

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What draft 7, the one our compiler knows, and draft 2020-12 understand alike.
COMMON_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "pattern"),
    *("minimum", "maximum", "title", "description", "x-pii", "x-open"),
}
PERSONAL = {"email", "phone", "given_name", "family_name", "display_name", "technician_first_name"}
# Ids that somebody else hands out, so they are not UUIDs.
FOREIGN_IDS = {
    "vat_id",
    "tax_id",
    "erp_customer_id",
    "previous_erp_customer_id",
    "client_id",
    "submission_id",
}
FOREIGN_IDS |= {"event_id"}


def members(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every member of a dereferenced schema, however deep: path, name, schema."""
    for name, member in schema.get("properties", {}).items():
        yield f"{path}.{name}", name, member
        yield from members(member, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from members(schema["items"], f"{path}[]")


def kinds(schema: dict[str, Any]) -> set[str]:
    return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])


def test_every_schema_file_is_valid_draft_2020_12(contracts_folder: Path) -> None:
    for path in (contracts_folder / "schemas").rglob("*.json"):
        schema = json.loads(path.read_bytes())
        assert schema["$schema"] == DRAFT, path
        assert schema["description"], path
        Draft202012Validator.check_schema(schema)


def test_a_schema_says_what_it_is_and_lets_producers_add(catalog: Catalog, event_type: str) -> None:
    entry = catalog.event_type(event_type)
    stored = catalog.document(entry.schema)
    assert stored["description"] == entry.says
    assert event_type.endswith(stored["title"])
    assert stored["type"] == "object"
    assert stored["additionalProperties"] is True
    assert catalog.schema(event_type)["required"]


def test_only_keywords_that_mean_the_same_in_draft_7(catalog: Catalog, event_type: str) -> None:
    def check(schema: dict[str, Any]) -> None:
        assert set(schema) <= COMMON_KEYWORDS, schema
        for _, _, member in members({"properties": {"it": schema}}):
            assert set(member) <= COMMON_KEYWORDS, member

    check(catalog.schema(event_type))


def test_names_mean_the_same_everywhere(catalog: Catalog, event_type: str) -> None:
    for path, name, member in members(catalog.schema(event_type)):
        pattern = member.get("pattern", "")
        if name.endswith("_id") and name not in FOREIGN_IDS:
            assert pattern.endswith("[0-9a-f]{12}$"), path
        if name.endswith("_at"):
            assert pattern.endswith("Z$"), path
        if name.endswith("_bp"):
            assert "integer" in kinds(member), path
        if name.endswith("_ids"):
            assert member["items"]["pattern"].endswith("[0-9a-f]{12}$"), path
        if name in {"quantity", "cumulative", "shipped", "ordered", "confirmed"} and "string" in kinds(
            member
        ):
            assert pattern == "^[0-9]+(\\.[0-9]{1,3})?$", path


def test_money_is_an_object_of_exact_text_and_no_amount_is_a_number(
    catalog: Catalog, event_type: str
) -> None:
    for path, name, member in members(catalog.schema(event_type)):
        if name == "amount" and "string" in kinds(member):
            assert member["pattern"].startswith("^-?[0-9]+("), path
        if name in {"amount", "net", "net_total", "tax_total", "gross_total"} and "object" in kinds(member):
            assert set(member["required"]) == {"amount", "currency"}, path
        assert "number" not in kinds(member) or name in {"latitude", "longitude"}, path


def test_personal_data_is_marked_where_it_stands(catalog: Catalog, event_type: str) -> None:
    for path, name, member in members(catalog.schema(event_type)):
        if name in PERSONAL:
            assert member.get("x-pii") is True, path


def test_every_fact_of_sales_says_where_it_comes_from_and_when_it_counts(
    catalog: Catalog, event_type: str
) -> None:
    if event_type.startswith("crm.sales.") and ".dead_letter." not in event_type:
        assert {"origin", "effective_at"} <= set(catalog.schema(event_type)["required"])


@pytest.mark.parametrize(
    ("prefix", "carried"),
    [
        ("crm.sales.order.", {"opportunity_id", "account_id", "lines", "request_no", "erp_number"}),
        ("crm.sales.opportunity.", {"lead_id", "campaign_id", "owner_id", "stage", "base_amount", "lines"}),
        ("crm.erp.order.", {"order_id", "request_no", "erp_number", "erp_sequence", "lines"}),
        ("crm.identity.user.", {"user_id", "manager_id", "team_ids", "role_names", "epoch", "active"}),
        ("crm.marketing.lead.", {"lead_id", "handover_no", "campaign_id", "owner_id"}),
    ],
)
def test_facts_carry_what_their_consumers_live_on(catalog: Catalog, prefix: str, carried: set[str]) -> None:
    types = [name for name in catalog.types if name.startswith(prefix)]
    assert types
    for name in types:
        assert carried <= set(catalog.schema(name)["required"]), name


def test_the_canonical_order_carries_all_an_erp_needs(catalog: Catalog) -> None:
    schema = catalog.schema("crm.sales.order.submitted.v1")
    assert {
        *("order_id", "request_no", "number", "account", "bill_to", "ship_to", "requested_on", "currency"),
        *("tax_rounding", "lines", "net_total", "tax_total", "gross_total", "respond_by", "correlation_id"),
        *("opportunity_id", "quote_id", "lead_id", "campaign_id"),
    } <= set(schema["required"])
    assert {
        *("line_id", "sku", "description", "quantity", "unit", "unit_net", "net", "tax_code"),
        *("needs_installation", "warranty_months"),
    } <= set(schema["properties"]["lines"]["items"]["required"])
    assert set(schema["properties"]["account"]["required"]) == {"id", "name", "vat_id", "erp_customer_id"}


def test_a_won_deal_has_an_account_and_an_amount_though_an_open_one_may_not(catalog: Catalog) -> None:
    opened = catalog.schema("crm.sales.opportunity.created.v1")["properties"]
    won = catalog.schema("crm.sales.opportunity.won.v1")["properties"]
    assert kinds(opened["account_id"]) == {"string", "null"}
    assert kinds(won["account_id"]) == {"string"}
    assert kinds(opened["base_amount"]) == {"object", "null"}
    assert kinds(won["base_amount"]) == {"object"}


@pytest.fixture(scope="module")
def standard(contracts_folder: Path) -> Callable[[str], Draft202012Validator]:
    """The stored schema at a path, references and all, as the reference implementation reads it."""
    base = "file:///schemas/"
    folder = contracts_folder / "schemas"
    registry: Registry[Any] = Registry().with_resources(
        (
            base + path.relative_to(folder).as_posix(),
            Resource.from_contents(json.loads(path.read_bytes())),
        )
        for path in folder.rglob("*.json")
    )
    return lambda path: Draft202012Validator({"$ref": base + path}, registry=registry)


def variants(example: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The example, and the example with one member gone, null, of another type, or added."""
    yield example
    yield {**example, "added_later": 1}
    for name, value in example.items():
        yield {key: kept for key, kept in example.items() if key != name}
        for other in (None, 7, "no such value", [value]):
            yield {**example, name: other}


def test_our_validator_agrees_with_the_standard(
    catalog: Catalog,
    event_type: str,
    examples: dict[str, dict[str, Any]],
    standard: Callable[[str], Draft202012Validator],
) -> None:
    reference, ours = standard(catalog.event_type(event_type).schema), catalog.validator(event_type)
    refused = 0
    for data in variants(next(iter(examples.values()))):
        try:
            ours(data)
            accepted = True
        except ContractViolation:
            accepted = False
            refused += 1
        assert accepted == reference.is_valid(data), data
    assert refused > len(catalog.schema(event_type)["required"])


def test_a_member_is_narrowed_by_the_type_that_describes_it_again() -> None:
    documents = {
        "a.json": {
            "allOf": [{"$ref": "b.json#/$defs/state"}],
            "properties": {"id": {"type": "string"}},
            "required": ["more"],
        },
        "b.json": {
            "$defs": {
                "state": {
                    "type": "object",
                    "properties": {"id": {"type": ["string", "null"]}, "name": {"$ref": "#/$defs/name"}},
                    "required": ["id"],
                },
                "name": {"type": "string", "x-pii": True},
            }
        },
    }
    assert dereferenced("a.json", documents.__getitem__) == {
        "type": "object",
        "properties": {"id": {"type": "string"}, "name": {"type": "string", "x-pii": True}},
        "required": ["id", "more"],
    }


def test_a_reference_to_nothing_is_an_error() -> None:
    documents = {"a.json": {"properties": {"id": {"$ref": "#/$defs/absent"}}, "$defs": {}}}
    with pytest.raises(KeyError, match="absent"):
        dereferenced("a.json", documents.__getitem__)
