"""The first run of an installation: roles, a signing key, the company.

Every `migrate` ends with it: what is there stays, and built-in roles get what this version gives them. Outside
production it also makes an administrator and their API client; in production a person does that by name
(`first_administrator.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import cast

from services.identity.api_clients.model import ApiClient
from services.identity.api_clients.repository import ApiClients
from services.identity.database import lock_installation
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

__all__ = [
    "BoundClientInProduction",
    "FirstRun",
    "NoAdministrator",
    "first_run",
    "first_run_of",
]


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
    """What the environment needs, with the client that the settings name. Raises what `first_run` raises, and
    BoundClientInProduction."""
    settings = cast("IdentitySettings", runtime.settings)
    if settings.environment != "production":
        first_run(runtime, client_id=settings.admin_client_id, client_secret=settings.admin_client_secret)
        return
    if settings.admin_client_secret is not None:
        raise BoundClientInProduction(
            "Unset CRM_ADMIN_CLIENT_SECRET: the command first-administrator makes a client."
        )
    with _installation(runtime):
        pass


def first_run(
    runtime: Runtime, *, client_id: str = "local-admin", client_secret: str | None = None
) -> FirstRun:
    """Make what is missing, an administrator too, in one transaction; not for production.

    With a `client_secret`, the API client `client_id` acts as the administrator and is known by that secret
    from now on.

    Raises NoAdministrator, KeyUnreadable (CRM_SECRET is not the key's).
    """
    with _installation(runtime) as (uow, company):
        admin, is_new = _administrator(uow, company.company_zone)
        if client_secret is not None:
            _bind_client(uow, client_id, client_secret, admin)
        return FirstRun(admin.id, admin.email, is_new)


@contextmanager
def _installation(runtime: Runtime) -> Iterator[tuple[UnitOfWork, Organisation]]:
    """A unit of work in which there are roles, a key and the company."""
    uow = runtime.unit_of_work()
    with caused_by(Cause(new_id(), "system:first-run", "first_run")), closing(uow.session), uow:
        lock_installation(uow.session)
        refresh_built_in_roles(uow, Policy.load())
        ensure_signing_key(runtime.settings.secret, uow)
        organisations = Organisations(uow.session)
        yield uow, organisations.if_founded() or organisations.add(Organisation.found())


def _administrator(uow: UnitOfWork, time_zone: str) -> tuple[User, bool]:
    users = Users(uow.session)
    found = users.first_active_admin()
    if found is not None:
        return found, False
    if users.managers():
        raise NoAdministrator("Make one with the command first-administrator.")
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
