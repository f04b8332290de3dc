"""Mappings over HTTP."""

from __future__ import annotations

from typing import Any

from services.erp.mappings import queries, use_cases
from services.erp.mappings.schemas import MappingOut, PutMapping
from shared.web import Blueprint, session, unit_of_work

__all__ = ["blueprint"]

blueprint = Blueprint(
    "mappings",
    __name__,
    url_prefix="/v1/mappings",
    description="Which code of the ERP stands for which of ours",
)


@blueprint.get("/<kind>", permission="erp_mapping.read")
@blueprint.response(200, MappingOut)
def get_mapping(kind: str) -> Any:
    """Read the table of a kind: tax, unit, currency, country or sku."""
    return queries.get_mapping(session(), kind)


@blueprint.put("/<kind>", permission="erp_mapping.edit")
@blueprint.arguments(PutMapping)
@blueprint.response(200, MappingOut)
def put_mapping(body: dict[str, Any], kind: str, expected_version: int) -> Any:
    """Replace the table of a kind. Orders that waited for one of its codes go on by themselves."""
    return use_cases.replace_mapping(kind, uow=unit_of_work(), expected_version=expected_version, **body)
