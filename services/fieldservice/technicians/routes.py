"""Technicians over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.fieldservice.technicians import queries, use_cases
from services.fieldservice.technicians.schemas import (
    AddTechnician,
    EditTechnician,
    TechnicianFilters,
    TechnicianOut,
    TechnicianRow,
)
from shared.db.listing import Page
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.fieldservice.technicians.model import Technician

__all__ = ["blueprint"]

blueprint = Blueprint(
    "technicians",
    __name__,
    url_prefix="/v1/technicians",
    description="Who goes to customers, with which skills",
)


@blueprint.get("", permission="technician.read")
@blueprint.arguments(TechnicianFilters, location="query")
@blueprint.page(TechnicianRow)
def list_technicians(filters: dict[str, Any]) -> Page:
    """List technicians."""
    return queries.list_technicians(session(), filters)


@blueprint.post("", permission="technician.edit")
@blueprint.arguments(AddTechnician)
@blueprint.response(201, TechnicianOut)
def add_technician(values: dict[str, Any]) -> Technician:
    """Make a technician of a user."""
    return use_cases.add_technician(values, unit_of_work())


@blueprint.get("/<uuid:technician_id>", permission="technician.read")
@blueprint.response(200, TechnicianOut)
def get_technician(technician_id: uuid.UUID) -> Technician:
    """Read a technician."""
    return queries.get_technician(session(), technician_id)


@blueprint.patch("/<uuid:technician_id>", permission="technician.edit")
@blueprint.arguments(EditTechnician)
@blueprint.response(200, TechnicianOut)
def edit_technician(changes: dict[str, Any], technician_id: uuid.UUID, expected_version: int) -> Technician:
    """Change a technician's zone and skills, or whether visits are given to them."""
    return use_cases.edit_technician(
        technician_id, changes, unit_of_work(), expected_version=expected_version
    )
