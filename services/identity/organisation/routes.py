"""The company's settings over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.identity.organisation import queries, use_cases
from services.identity.organisation.schemas import EditOrganisation, OrganisationOut
from shared.web import Blueprint, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.organisation.model import Organisation

__all__ = ["blueprint"]

blueprint = Blueprint(
    "organisation", __name__, url_prefix="/v1/organisation", description="The company's own settings"
)


@blueprint.get("", permission="organisation.read")
@blueprint.response(200, OrganisationOut)
def get_organisation() -> Organisation:
    """Read the settings."""
    return queries.get_organisation(session())


@blueprint.patch("", permission="organisation.edit")
@blueprint.arguments(EditOrganisation)
@blueprint.response(200, OrganisationOut)
def edit_organisation(changes: dict[str, Any], expected_version: int) -> Organisation:
    """Change the settings."""
    return use_cases.edit_organisation(changes, unit_of_work(), expected_version=expected_version)
