"""API clients over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.identity.api_clients import queries, use_cases
from services.identity.api_clients.schemas import (
    ApiClientFilters,
    ApiClientOut,
    ApiClientRow,
    ApiClientWithSecret,
    CreateApiClient,
    EditApiClient,
    RotateSecret,
)
from shared.db.listing import Page
from shared.web import Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.api_clients.model import ApiClient

__all__ = ["blueprint"]

blueprint = Blueprint(
    "api_clients",
    __name__,
    url_prefix="/v1/api-clients",
    description="Software that connects without a person",
)

# Idempotency keeps no answer that says this: what is shown once must not be stored.
_SHOWN_ONCE = {"Cache-Control": "no-store"}


@blueprint.get("", permission="api_client.read")
@blueprint.arguments(ApiClientFilters, location="query")
@blueprint.page(ApiClientRow)
def list_api_clients(filters: dict[str, Any]) -> Page:
    """List API clients."""
    return queries.list_api_clients(session(), filters)


@blueprint.post("", permission="api_client.edit")
@blueprint.arguments(CreateApiClient)
@blueprint.response(201, ApiClientWithSecret)
def create_api_client(values: dict[str, Any]) -> Any:
    """Make an API client. The answer shows its secret, once."""
    return _shown(use_cases.create_api_client(values, unit_of_work(), own=principal().permissions))


@blueprint.get("/<uuid:api_client_id>", permission="api_client.read")
@blueprint.response(200, ApiClientOut)
def get_api_client(api_client_id: uuid.UUID) -> ApiClient:
    """Read an API client."""
    return queries.get_api_client(session(), api_client_id)


@blueprint.patch("/<uuid:api_client_id>", permission="api_client.edit")
@blueprint.arguments(EditApiClient)
@blueprint.response(200, ApiClientOut)
def edit_api_client(changes: dict[str, Any], api_client_id: uuid.UUID, expected_version: int) -> ApiClient:
    """Change an API client."""
    return use_cases.edit_api_client(
        api_client_id,
        changes,
        unit_of_work(),
        own=principal().permissions,
        expected_version=expected_version,
    )


@blueprint.post("/<uuid:api_client_id>/rotate-secret", permission="api_client.edit", if_match=True)
@blueprint.arguments(RotateSecret)
@blueprint.response(200, ApiClientWithSecret)
def rotate_secret(command: dict[str, Any], api_client_id: uuid.UUID, expected_version: int) -> Any:
    """Give a client another secret, shown once; the one before goes on until the next rotation."""
    return _shown(
        use_cases.rotate_secret(
            api_client_id,
            unit_of_work(),
            end_others=command["end_others"],
            own=principal().permissions,
            expected_version=expected_version,
        )
    )


@blueprint.post("/<uuid:api_client_id>/disable", permission="api_client.edit", if_match=True)
@blueprint.response(200, ApiClientOut)
def disable_api_client(api_client_id: uuid.UUID, expected_version: int) -> ApiClient:
    """Refuse a client."""
    return use_cases.disable_api_client(api_client_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:api_client_id>/enable", permission="api_client.edit", if_match=True)
@blueprint.response(200, ApiClientOut)
def enable_api_client(api_client_id: uuid.UUID, expected_version: int) -> ApiClient:
    """Let a client in again."""
    return use_cases.enable_api_client(api_client_id, unit_of_work(), expected_version=expected_version)


def _shown(made: use_cases.NewSecret) -> Any:
    answer = {name: getattr(made.client, name) for name in ApiClientOut().fields}
    return {**answer, "client_secret": made.secret}, _SHOWN_ONCE
