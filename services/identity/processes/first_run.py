"""The first run of an installation: roles, a signing key, the company, an administrator, and their API client.

Every `migrate` ends with it: what is there stays, and built-in roles get what this version gives them.
"""

from __future__ import annotations

import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from sqlalchemy import text

from services.identity.api_clients.model import ApiClient
from services.identity.api_clients.repository import ApiClients
from services.identity.grants import ADMIN
from services.identity.organisation.model import Organisation
from services.identity.organisation.repository import Organisations
from services.identity.roles.use_cases import refresh_built_in_roles
from services.identity.settings import IdentitySettings
from services.identity.signing_keys.use_cases import ensure_signing_key
from services.identity.users.model import User
from services.identity.users.repository import Users
from shared.contracts.policy import Policy
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import Cause, caused_by
from shared.kernel.errors import Conflict
from shared.kernel.ids import new_id
from shared.service import Runtime
from shared.web.tokens import SUITE_AUDIENCE

__all__ = ["BoundClientInProduction", "FirstRun", "NoAdministrator", "first_run", "first_run_of"]

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('first run', 0))")


class BoundClientInProduction(Conflict):
    """A client that acts as a user exists for local installations only."""

    problem = "bound-client-in-production"
    title = "There is no such client in production"


class NoAdministrator(Conflict):
    """Users exist, but none of them can administer."""

    problem = "no-administrator"
    title = "There is no active administrator"


@dataclass(frozen=True, slots=True)
class FirstRun:
    """Who administers, and whether they were made just now."""

    admin_id: uuid.UUID
    admin_email: str
    is_new: bool


def first_run_of(runtime: Runtime) -> None:
    """Run it with the client that the settings name. Raises what `first_run` raises."""
    settings = cast("IdentitySettings", runtime.settings)
    first_run(runtime, client_id=settings.admin_client_id, client_secret=settings.admin_client_secret)


def first_run(
    runtime: Runtime, *, client_id: str = "local-admin", client_secret: str | None = None
) -> FirstRun:
    """Make what is missing, in one transaction.

    With a `client_secret`, the API client `client_id` acts as the administrator and is known by that secret
    from now on.

    Raises BoundClientInProduction, NoAdministrator, KeyUnreadable (CRM_SECRET is not the key's).
    """
    if client_secret is not None and runtime.settings.environment == "production":
        raise BoundClientInProduction(
            "Unset CRM_ADMIN_CLIENT_SECRET; make API clients through the API instead."
        )
    uow = runtime.unit_of_work()
    with caused_by(Cause(new_id(), "system:first-run", "first_run")), closing(uow.session), uow:
        uow.session.execute(_LOCK)
        refresh_built_in_roles(uow, Policy.load())
        ensure_signing_key(runtime.settings.secret, uow)
        organisations = Organisations(uow.session)
        company = organisations.if_founded() or organisations.add(Organisation.found())
        admin, is_new = _administrator(uow, company.company_zone)
        if client_secret is not None:
            _bind_client(uow, client_id, client_secret, admin)
        return FirstRun(admin.id, admin.email, is_new)


def _administrator(uow: UnitOfWork, time_zone: str) -> tuple[User, bool]:
    users = Users(uow.session)
    found = users.first_active_admin()
    if found is not None:
        return found, False
    if users.managers():
        raise NoAdministrator("Restore a backup: the last administrator cannot be lost through the API.")
    values = {
        "email": "admin@localhost",
        "display_name": "Administrator",
        "locale": "en-GB",
        "time_zone": time_zone,
        "team_ids": [],
        "role_names": [ADMIN],
    }
    return users.add(User.install(values)), True


def _bind_client(uow: UnitOfWork, client_id: str, secret: str, admin: User) -> None:
    clients = ApiClients(uow.session)
    client = clients.with_client_id(client_id)
    if client is None:
        values = {
            "client_id": client_id,
            "name": "The administrator's command line",
            "scopes": [],
            "audiences": [SUITE_AUDIENCE],
            "rate_class": "bulk",
            "subject_id": admin.id,
        }
        clients.add(ApiClient.create(values, secret, uow.clock.now()))
    elif not client.proves(secret):
        client.rotate_secret(secret, uow.clock.now(), end_others=True)
