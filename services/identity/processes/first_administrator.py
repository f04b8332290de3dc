"""The first administrator of an installation, and the API client that an operator begins with.

Nobody can ask for these over HTTP, for nobody has a right yet: whoever can run a command with the service's own
settings may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.identity.api_clients.errors import ClientIdTaken
from services.identity.api_clients.model import ApiClient
from services.identity.api_clients.repository import ApiClients
from services.identity.api_clients.use_cases import NewSecret, new_secret
from services.identity.database import lock_installation, lock_organisation
from services.identity.grants import ADMIN
from services.identity.organisation.repository import Organisations
from services.identity.users.errors import EmailTaken
from services.identity.users.model import User, normal_email
from services.identity.users.repository import Users
from shared.access.principal import ALL_PERMISSIONS
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Conflict, NotFound
from shared.web.tokens import SUITE_AUDIENCE

__all__ = ["OPERATOR", "AdministratorExists", "appoint_first_administrator", "reset_operator"]

OPERATOR = "operator"
"""The API client that may do everything."""


class AdministratorExists(Conflict):
    """There is an administrator, who invites the next ones."""

    problem = "administrator-exists"
    title = "There is an administrator already"


def appoint_first_administrator(values: Mapping[str, Any], uow: UnitOfWork) -> NewSecret:
    """Make an administrator, active at once, and the client `operator` with every right.

    `values`: email, display_name, locale, and a time_zone or None for the company's. Raises AdministratorExists,
    EmailTaken, ClientIdTaken, and NotFound before the first run.
    """
    with uow:
        lock_installation(uow.session)
        lock_organisation(uow.session)
        company = Organisations(uow.session).only()
        users, clients = Users(uow.session), ApiClients(uow.session)
        admin = users.first_active_admin()
        if admin is not None:
            raise AdministratorExists(
                f"{admin.email} administers this installation and invites others. If the secret of the API client"
                f" {OPERATOR} is lost, reset-operator makes another."
            )
        email = normal_email(values["email"])
        if users.with_email(email) is not None:
            raise EmailTaken(
                f"{email} is a user who does not administer, or not now. Choose another address."
            )
        if clients.with_client_id(OPERATOR) is not None:
            raise ClientIdTaken(f"There is a client {OPERATOR}: reset-operator makes another secret for it.")
        given = {**values, "email": email, "time_zone": values["time_zone"] or company.company_zone}
        users.add(User.install({**given, "team_ids": [], "role_names": [ADMIN]}))
        secret = new_secret()
        return NewSecret(clients.add(_operator(secret, uow)), secret)


def reset_operator(uow: UnitOfWork) -> NewSecret:
    """Give the operator's client another secret, and back its rights and audience, whatever was done to it; the
    secrets and tokens before are void. Makes one where there is none. Raises NotFound before there is an
    administrator."""
    with uow:
        lock_installation(uow.session)
        if Users(uow.session).first_active_admin() is None:
            raise NotFound("There is no administrator: first-administrator makes one, and the client.")
        clients = ApiClients(uow.session)
        secret, client = new_secret(), clients.with_client_id(OPERATOR)
        if client is None:
            return NewSecret(clients.add(_operator(secret, uow)), secret)
        if client.state == "disabled":
            client.enable()
        client.edit(_RIGHTS)
        client.rotate_secret(secret, uow.clock.now(), end_others=True)
        return NewSecret(client, secret)


_RIGHTS = {"scopes": [ALL_PERMISSIONS], "audiences": [SUITE_AUDIENCE]}


def _operator(secret: str, uow: UnitOfWork) -> ApiClient:
    values = {"client_id": OPERATOR, "name": "The operator's command line", "rate_class": "bulk", **_RIGHTS}
    return ApiClient.create({**values, "subject_id": None}, secret, uow.clock.now())
