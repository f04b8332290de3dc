"""Make, change, disable API clients and give them secrets."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.identity.api_clients.errors import ClientIdTaken, UnknownScope
from services.identity.api_clients.model import SECRET_PREFIX, ApiClient
from services.identity.api_clients.repository import ApiClients
from services.identity.grants import Grants, check_grants, grants_of_scopes
from shared.access.principal import ALL_PERMISSIONS
from shared.contracts.policy import Policy
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.ids import new_id

__all__ = [
    "NewSecret",
    "create_api_client",
    "disable_api_client",
    "edit_api_client",
    "enable_api_client",
    "new_secret",
    "rotate_secret",
]


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client with a fresh secret, which is shown here and never again."""

    client: ApiClient
    secret: str


def create_api_client(values: Mapping[str, Any], uow: UnitOfWork, *, own: Grants) -> NewSecret:
    """Make a client; without a `client_id` it gets one. `own` is what the caller may.

    Raises ClientIdTaken, UnknownScope, GrantExceedsOwn.
    """
    with uow:
        clients = ApiClients(uow.session)
        _check_scopes(values["scopes"], own)
        given = {"subject_id": None, **values}
        given["client_id"] = given["client_id"] or f"client-{new_id().hex[-12:]}"
        if clients.with_client_id(given["client_id"]) is not None:
            raise ClientIdTaken(f"There is a client {given['client_id']}. Choose another name.")
        secret = new_secret()
        return NewSecret(clients.add(ApiClient.create(given, secret, uow.clock.now())), secret)


def edit_api_client(
    api_client_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    own: Grants,
    expected_version: int | None,
) -> ApiClient:
    """Change name, scopes, audiences or rate class. Raises NotFound, Stale, UnknownScope, GrantExceedsOwn."""
    with uow:
        client = ApiClients(uow.session).get(api_client_id, expected_version=expected_version)
        _check_scopes(set(changes.get("scopes", ())) - set(client.scopes), own)
        client.edit(changes)
        return client


def rotate_secret(
    api_client_id: uuid.UUID, uow: UnitOfWork, *, end_others: bool, own: Grants, expected_version: int | None
) -> NewSecret:
    """Give a client another secret. Raises NotFound, Stale, IllegalState, GrantExceedsOwn."""
    with uow:
        client = ApiClients(uow.session).get(api_client_id, expected_version=expected_version)
        # Whoever gets the secret gets all that the client may.
        check_grants({ALL_PERMISSIONS: "all"} if client.subject_id else grants_of_scopes(client.scopes), own)
        secret = new_secret()
        client.rotate_secret(secret, uow.clock.now(), end_others=end_others)
        return NewSecret(client, secret)


def disable_api_client(
    api_client_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None
) -> ApiClient:
    """Refuse a client. Raises NotFound, Stale, IllegalState."""
    with uow:
        client = ApiClients(uow.session).get(api_client_id, expected_version=expected_version)
        client.disable()
        return client


def enable_api_client(
    api_client_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None
) -> ApiClient:
    """Let a client in again. Raises NotFound, Stale, IllegalState."""
    with uow:
        client = ApiClients(uow.session).get(api_client_id, expected_version=expected_version)
        client.enable()
        return client


def new_secret() -> str:
    """256 random bits that scanners recognise."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def _check_scopes(scopes: Iterable[str], own: Grants) -> None:
    unknown = sorted(set(scopes) - Policy.load().machine_scopes)
    if unknown:
        raise UnknownScope.field("/scopes", f"{unknown[0]} is not a permission for machines.")
    check_grants(grants_of_scopes(scopes), own)
