"""The token endpoint: client credentials (RFC 6749, 4.4) and token exchange (RFC 8693), on Authlib's server.

A client that is bound to a user gets that user's tokens, as if they had just confirmed themselves with a second
factor: whoever reads its secret has the whole local installation. In production there is no such client.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from sqlalchemy import insert

from services.identity.access_token import LIFETIME_SECONDS, Bearer, claims, sign
from services.identity.api_clients.model import ApiClient
from services.identity.api_clients.repository import ApiClients
from services.identity.grants import grants_of_scopes, narrow, reach_of
from services.identity.processes.rights import staff_bearer
from services.identity.signing_keys.use_cases import KeyRing
from services.identity.users.model import User
from services.identity.users.repository import Users
from shared.access.principal import ALL_PERMISSIONS
from shared.contracts.policy import Policy
from shared.db.plumbing import AUDIT_ENTRIES
from shared.web import unit_of_work
from shared.web.tokens import SUITE_AUDIENCE

__all__ = ["IMPERSONATE", "TOKEN_EXCHANGE", "Issuer", "TokenEndpoint"]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
IMPERSONATE = "user.impersonate"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind of token
_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]
_RESOURCE = "urn:crm:"
_CLIENT_ID = re.compile(r"[a-z][a-z0-9-]{2,63}")
_MAY_REPEAT = {"resource", "audience"}


class InvalidTargetError(OAuth2Error):
    """RFC 8707, 2: the token was asked for a service that the client may not use."""

    error = "invalid_target"


@dataclass(frozen=True)
class Issuer:
    """Who signs: its `url` is the `iss` of every token."""

    url: str
    keys: KeyRing
    is_production: bool

    @property
    def metadata(self) -> dict[str, Any]:
        """RFC 8414's description of it."""
        return {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/oauth/token",
            "jwks_uri": f"{self.url}/oauth/jwks.json",
            "scopes_supported": sorted(Policy.load().machine_scopes),
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials", TOKEN_EXCHANGE],
            "token_endpoint_auth_methods_supported": _AUTHENTICATION,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }


@dataclass(frozen=True)
class _Client:
    """An API client as Authlib asks about it."""

    record: ApiClient

    def check_client_secret(self, secret: str) -> bool:
        return self.record.proves(secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in _AUTHENTICATION


class TokenEndpoint(AuthorizationServer):  # type: ignore[misc]
    """Answers token requests in the name of `issuer`."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(query_client=_find_client)
        self.issuer = issuer
        self.register_grant(_ClientCredentials)
        self.register_grant(_TokenExchange)

    def authenticate_client(self, request: Any, methods: list[str], endpoint: str = "token") -> Any:
        """The client that proves itself; an unknown one, a wrong secret and a disabled one get one answer."""
        try:
            return super().authenticate_client(request, methods, endpoint)
        except (InvalidClientError, UnicodeError):
            raise InvalidClientError(
                status_code=401, description="The client is unknown or disabled, or its secret is wrong."
            ) from None

    def create_token_response(self, request: Any = None) -> Any:
        """The answer to the request at work: a token, or an error of RFC 6749, 5.2."""
        for name, values in flask.request.form.lists():
            if len(values) > 1 and name not in _MAY_REPEAT:
                return self._malformed("A parameter was given more than once.")
            if any("\x00" in value for value in values):
                return self._malformed("A parameter holds a NUL character.")
        if not flask.request.form.get("grant_type"):
            return self._malformed("The parameter grant_type is missing.")
        return super().create_token_response(request)

    def token_for(self, bearer: Bearer, audiences: list[str], **more: str) -> dict[str, Any]:
        """A fresh token and what is said about it."""
        uow = unit_of_work()
        now = uow.clock.now()
        body = claims(bearer, self.issuer.url, audiences, now)
        return {
            "access_token": sign(body, self.issuer.keys.signing_key(uow.session, now)),
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "scope": " ".join(sorted(bearer.permissions)),
            **more,
        }

    def _malformed(self, description: str) -> Any:
        return self.handle_error_response(None, InvalidRequestError(description))


class _Grant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """What the grants have in common: an authenticated client, its audiences, the user it may be bound to."""

    TOKEN_ENDPOINT_AUTH_METHODS = _AUTHENTICATION

    def validate_token_request(self) -> None:
        self.request.client = self.authenticate_token_endpoint_client()

    @property
    def _record(self) -> ApiClient:
        record: ApiClient = self.request.client.record
        return record

    def _audiences(self) -> list[str]:
        """The services that `resource` (RFC 8707) names, all of the client's without it."""
        asked = [value.removeprefix(_RESOURCE) for value in self.request.form.getlist("resource")]
        held = set(self._record.audiences)
        if not (set(asked) <= held or SUITE_AUDIENCE in held):
            raise InvalidTargetError("The client may not use that service.")
        return sorted(set(asked)) or list(self._record.audiences)

    def _bound_user(self) -> User:
        """The user that the client is bound to. Raises UnauthorizedClientError."""
        subject_id = self._record.subject_id
        user = None if subject_id is None else Users(unit_of_work().session).find(subject_id)
        if self.server.issuer.is_production or user is None or user.state != "active":
            raise UnauthorizedClientError("The client does not act for an active user, or not in production.")
        return user

    def _narrowed(self, bearer: Bearer) -> Bearer:
        """`bearer` with the permissions that `scope` asks for, all of them without it."""
        scopes = (self.request.payload.scope or "").split()
        if not scopes:
            return bearer
        permissions = narrow(bearer.permissions, scopes)
        if permissions is None or not set(scopes) <= set(Policy.load().permissions):
            raise InvalidScopeError("The client may not have a scope that it asks for.")
        return replace(bearer, permissions=permissions)


class _ClientCredentials(_Grant):
    GRANT_TYPE = "client_credentials"

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        bearer = self._narrowed(self._bearer())
        return 200, self.server.token_for(bearer, self._audiences()), self.TOKEN_RESPONSE_HEADER

    def _bearer(self) -> Bearer:
        client = self._record
        if client.subject_id is not None:
            user = self._bound_user()
            return staff_bearer(unit_of_work().session, user, client.client_id, confirmed=True)
        permissions = grants_of_scopes(client.scopes)
        return Bearer(
            subject=client.id,
            kind="machine",
            client_id=client.client_id,
            epoch=client.epoch,
            permissions=permissions,
            # Whoever made the operator's client had the service's own settings: more than a second factor proves.
            confirmed=ALL_PERMISSIONS in permissions,
        )


class _TokenExchange(_Grant):
    """An administrator's client gets the token of another user: `requested_subject` is that user's id."""

    GRANT_TYPE = TOKEN_EXCHANGE

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        uow = unit_of_work()
        with uow:
            administrator = self._bound_user()
            own = staff_bearer(uow.session, administrator, self._record.client_id)
            if reach_of(own.permissions, IMPERSONATE) is None:
                raise UnauthorizedClientError(f"The user behind the client lacks {IMPERSONATE}.")
            user = self._requested_user(Users(uow.session))
            bearer = self._narrowed(
                staff_bearer(uow.session, user, self._record.client_id, actor=administrator.id)
            )
            uow.session.execute(
                insert(AUDIT_ENTRIES).values(
                    at=uow.clock.now(),
                    actor=f"user:{administrator.id}",
                    action=IMPERSONATE,
                    object=f"user:{user.id}",
                    details={"client_id": self._record.client_id},
                )
            )
            token = self.server.token_for(bearer, self._audiences(), issued_token_type=_ACCESS_TOKEN)
        return 200, token, self.TOKEN_RESPONSE_HEADER

    def _requested_user(self, users: Users) -> User:
        try:
            user = users.find(uuid.UUID(self.request.form.get("requested_subject", "")))
        except ValueError:
            user = None
        if user is None or user.state != "active":
            raise InvalidRequestError("requested_subject must be the id of an active user.")
        return user


def _find_client(client_id: str) -> _Client | None:
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    record = ApiClients(unit_of_work().session).with_client_id(client_id)
    return _Client(record) if record is not None and record.state == "active" else None
