"""Contracts over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.support.contracts import queries, use_cases
from services.support.contracts.schemas import (
    ActivateContract,
    CancelContract,
    ContractFilters,
    ContractOut,
    ContractRow,
    DraftContract,
    EditContract,
    EntitlementOut,
    TopUp,
)
from shared.db.listing import Page
from shared.kernel.events import to_data
from shared.kernel.ids import new_id
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.support.contracts.model import Contract, Entitlement

__all__ = ["blueprint"]

blueprint = Blueprint(
    "contracts", __name__, url_prefix="/v1/contracts", description="What we owe customers after the sale"
)


@blueprint.get("", permission="contract.read")
@blueprint.arguments(ContractFilters, location="query")
@blueprint.page(ContractRow)
def list_contracts(filters: dict[str, Any]) -> Page:
    """List contracts."""
    return queries.list_contracts(session(), principal(), filters)


@blueprint.post("", permission="contract.create")
@blueprint.arguments(DraftContract)
@blueprint.response(201, ContractOut)
def draft_contract(values: dict[str, Any]) -> Contract:
    """Draft a contract by hand."""
    values["lines"] = [
        {**to_data(line), "contract_line_id": str(new_id()), "order_line_id": None, "struck": False}
        for line in values["lines"]
    ]
    return use_cases.draft_contract({**values, "owner_id": principal().user_id}, unit_of_work())


@blueprint.get("/<uuid:contract_id>", permission="contract.read")
@blueprint.response(200, ContractOut)
def get_contract(contract_id: uuid.UUID) -> Contract:
    """Read a contract."""
    return queries.get_contract(session(), principal(), contract_id)


@blueprint.patch("/<uuid:contract_id>", permission="contract.edit")
@blueprint.arguments(EditContract)
@blueprint.response(200, ContractOut)
def edit_contract(changes: dict[str, Any], contract_id: uuid.UUID, expected_version: int) -> Contract:
    """Change a draft."""
    return use_cases.edit_contract(contract_id, changes, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:contract_id>/activate", permission="contract.edit", if_match=True)
@blueprint.arguments(ActivateContract)
@blueprint.response(200, ContractOut)
def activate_contract(command: dict[str, Any], contract_id: uuid.UUID, expected_version: int) -> Contract:
    """Put a draft in force."""
    return use_cases.activate_contract(
        contract_id, command["starts_on"], unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:contract_id>/suspend", permission="contract.edit", if_match=True)
@blueprint.response(200, ContractOut)
def suspend_contract(contract_id: uuid.UUID, expected_version: int) -> Contract:
    """Stop cover for now."""
    return use_cases.suspend_contract(contract_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:contract_id>/resume", permission="contract.edit", if_match=True)
@blueprint.response(200, ContractOut)
def resume_contract(contract_id: uuid.UUID, expected_version: int) -> Contract:
    """Let cover go on."""
    return use_cases.resume_contract(contract_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:contract_id>/cancel", permission="contract.cancel", if_match=True)
@blueprint.arguments(CancelContract)
@blueprint.response(200, ContractOut)
def cancel_contract(command: dict[str, Any], contract_id: uuid.UUID, expected_version: int) -> Contract:
    """End a contract for good."""
    return use_cases.cancel_contract(
        contract_id, command["reason"], unit_of_work(), expected_version=expected_version
    )


@blueprint.get("/<uuid:contract_id>/entitlements", permission="contract.read")
@blueprint.response(200, EntitlementOut(many=True))
def list_entitlements(contract_id: uuid.UUID) -> list[dict[str, Any]]:
    """What may still be used under a contract."""
    queries.get_contract(session(), principal(), contract_id)
    return queries.list_entitlements(session(), contract_id)


@blueprint.post("/<uuid:contract_id>/top-up", permission="contract.edit")
@blueprint.arguments(TopUp)
@blueprint.response(200, EntitlementOut)
def top_up(command: dict[str, Any], contract_id: uuid.UUID) -> Entitlement:
    """Grant incidents or hours."""
    return use_cases.top_up(contract_id, uow=unit_of_work(), **command)
